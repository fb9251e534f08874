# machine: kernel riscv64
# What 'martlet' shows of a RISC-V guest, in expressions too.

source gdb/martlet.gdb
set disassemble-next-line off
directory Tests/TestSupport/Scheduler
python
import re
def first(line, count=1):
  # The first lines, without numbers that differ from one translator to the next.
  lines = gdb.execute(line, to_string=True).splitlines()[:count]
  print("\n".join(re.sub(r" +", " ", re.sub(r"\b[\d.]+\b", "N", text)) for text in lines))
end
eval "martlet %d", $port
echo \n[devices and their registers]\n
set width 60
martlet devices
martlet registers serial
martlet registers SERIAL lcr
martlet registers plic
set width 0
print $_device_register("serial.LSR")
print $_device_register("serial.LSR.THRE")
echo \n[traps]\n
martlet exception-frame
martlet exception-frame s
tbreak count_one if counters[1] == 2
continue
martlet exception-frame
tbreak on_trap
continue
martlet exception-frame m
echo \n[tasks]\n
martlet tasks
echo \n[translated code]\n
monitor profile on
tbreak count_one if counters[1] == 4
continue
python first("martlet blocks 2", 9)
python first("martlet blocks sort hot 1")
python first("martlet why 3")
python first("martlet block choose_task")
python first("martlet graph choose_task")
print $_martlet_block(choose_task) != 0
martlet ir switch_task before
python first("martlet ir diff switch_task DeadCodeElimination")
echo \n[addresses]\n
martlet tlb
martlet walk &counters
martlet walk 0x60000000
echo \n[addresses behind page tables]\n
delete
set {long}0x80100010 = 0x200000cf
set $satp = 0x8000000000080100
set $pmpaddr0 = -1
set $pmpcfg0 = 0x1f
set $priv = 1
martlet walk $pc
martlet walk 0x40000000
martlet tlb
tbreak switch_task
continue
martlet tlb
martlet exception-frame m
set $priv = 3
set $satp = 0
echo \n[the monitor, and the guest on its own for a while]\n
martlet monitor print 6 * 7
delete
python first("martlet stops 3", 2)
python first("martlet monitor info status")
tbreak count_one if which == 1
continue
