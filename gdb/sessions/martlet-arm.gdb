# machine: kernel arm
# What 'martlet' shows of a Cortex-M guest, in expressions too.

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
martlet registers UART1
martlet registers uart1 ctrl
martlet registers uart1.data
set {int}0x40005008 = 3
martlet registers uart1 CTRL
print $_device_register("uart1.CTRL")
print $_device_register("uart1.CTRL.RXEN")
martlet registers TIMER0.CTRL
set width 60
martlet devices
set width 0
echo \n[tasks]\n
tbreak count_one if counters[1] == 2
continue
martlet tasks
set width 60
martlet tasks
set width 0
echo \n[translated code]\n
monitor profile on
tbreak count_one if counters[1] == 4
continue
print $_martlet_block(choose_task) != 0
print $_martlet_block(&counters)
python first("martlet blocks 2", 9)
python first("martlet blocks sort hot 1")
python first("martlet why 3")
python first("martlet block choose_task")
python first("martlet block scheduler.c:62")
python first("martlet graph choose_task")
python first("martlet ir arm.S:60")
python first("martlet ir arm.S:60 before")
python first("martlet ir arm.S:60 after CopyPropagation")
python first("martlet ir diff arm.S:60 CopyPropagation")
echo \n[addresses]\n
martlet tlb
martlet walk &counters
martlet walk main
martlet walk 0x60000000
echo \n[an exception]\n
tbreak on_switch
continue
martlet exception-frame
tbreak choose_task
continue
python
try:
  gdb.execute("martlet exception-frame")
except gdb.error as error:
  print(error)
end
martlet exception-frame $psp
echo \n[the monitor, and the guest on its own for a while]\n
martlet monitor print 6 * 7
delete
python first("martlet stops 3", 2)
python first("martlet monitor info status")
tbreak count_one if which == 1
continue
