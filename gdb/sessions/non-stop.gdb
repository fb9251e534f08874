# machine: program, 2 harts
# typed
# Non-stop: each hart halts for itself. Hart 0 runs the loop and counts, hart 1 waits for interrupts.

set non-stop on
target extended-remote 127.0.0.1:$port
#await hart 1" stopped
info threads
break *0x80000030
thread 2
continue
echo One is at a breakpoint, the other runs on and counts.\n
thread 1
continue &
info threads
set var *(long *) 0x80001000 = 0
shell sleep 0.2
print *(long *) 0x80001000 > 100
stepi
echo A hart is stepped beside it, over its breakpoint too.\n
thread 2
stepi
stepi
info threads
x/2i $pc
echo One is interrupted, then all.\n
interrupt -a
#await stopped.
thread apply all -q print $pc >= 0x80000010 && $pc < 0x80000038
delete
continue -a &
info threads
thread 1
interrupt
#await stopped.
info threads
interrupt -a
#await stopped.
info threads
echo Both come to a breakpoint.\n
set scheduler-locking off
thread apply all -q set var $pc = 0x80000010
thread apply all -q set var $s1 = 0x80001000
break *0x80000024
continue -a &
#await hart 0" hit
#await hart 1" hit
info threads
print $_thread
print $mhartid
delete
echo Started again: hart 0 runs, the other one is held.\n
run &
#await hart 1" stopped
interrupt
#await hart 0" stopped
thread 2
print/x $pc
kill
info threads
quit
