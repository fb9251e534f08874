# machine: program
# What other stubs get wrong, and what their users then see: see "Faults of other stubs" in GDBRemote's documentation.

eval "target extended-remote 127.0.0.1:%d", $port
echo \n[halted is halted: counters stand still]\n
tbreak *0x80000024
continue
set $before = $mcycle + $minstret + $time
shell sleep 0.3
print $mcycle + $minstret + $time == $before
stepi
print $mcycle + $minstret + $time - $before < 100
echo \n[Ctrl-C in a busy loop, and in a wait]\n
set var $pc = 0x8000002c
shell (sleep 0.3; kill -INT $PPID) &
continue
set var $pc = 0x80000030
shell (sleep 0.3; kill -INT $PPID) &
continue
echo \n[sent elsewhere, it is there]\n
set var $pc = 0x80000010
stepi
print $pc
echo \n[watched: a large object, before the access]\n
watch *(char (*)[65536]) 0x80001000
continue
print *(long *) 0x80001000 == $t0
delete
echo \n[an exception without a handler]\n
set var $pc = 0x8000004c
continue
print $pc
print $mcause
stepi
print $pc
set var $pc = 0x80000010
tbreak *0x80000024
continue
echo \n[registers of the system]\n
info registers mstatus mtvec mepc satp pmpcfg0
echo \n[device registers]\n
x/wx 0x200bff8
x/bx 0x10000005
echo \n[left and found again, running]\n
disconnect
eval "target extended-remote 127.0.0.1:%d", $port
print $pc
detach
eval "target extended-remote 127.0.0.1:%d", $port
print $pc >= 0x80000010 && $pc < 0x8000002c
kill
