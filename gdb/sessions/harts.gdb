# machine: program, 2 harts
# Threads: hart 0 runs the loop, hart 1 waits for interrupts.

eval "target extended-remote 127.0.0.1:%d", $port
info threads
tbreak *0x80000030
continue
info threads
thread 1
tbreak *0x80000024
continue
print $mhartid
thread apply all -q print $mhartid
echo \n[only this thread]\n
set scheduler-locking on
stepi
stepi
thread 2
print/x $pc
set scheduler-locking off
echo \n[interrupt]\n
shell (sleep 0.5; kill -INT $PPID) &
continue
kill
