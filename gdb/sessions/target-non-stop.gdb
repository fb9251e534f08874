# machine: program, 2 harts
# All-stop for the user by a target that is non-stop: GDB halts the other hart itself, and lets it go again.

maintenance set target-non-stop on
eval "target extended-remote 127.0.0.1:%d", $port
break *0x80000030
continue
info threads
delete
tbreak *0x80000024
continue
print $mhartid
thread apply all -q print $pc
stepi
stepi
echo \n[one alone]\n
set scheduler-locking on
thread 2
print/x $pc
stepi
stepi
set scheduler-locking off
echo \n[over a breakpoint, with the other one running]\n
thread 1
break *0x80000024
continue
continue
delete
echo \n[a watchpoint]\n
watch *(long *) 0x80001000
continue
delete
echo \n[interrupt]\n
shell (sleep 0.5; kill -INT $PPID) &
continue
kill
info threads
