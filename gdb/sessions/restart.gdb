# machine: program
# Extended mode: kill, run, start (starti, without symbols), detach and attach, on one connection.

eval "target extended-remote 127.0.0.1:%d", $port
break *0x80000024
continue
echo \n[run again]\n
run
delete
print $minstret
echo \n[kill]\n
kill
info threads
echo \n[nothing is attached: the monitor and the lists are there]\n
monitor hello
info os
info os processes
info os threads
echo \n[start]\n
starti
print/x $pc
stepi
echo \n[detach, attach]\n
detach
info threads
monitor hello
attach 1
info threads
print $pc >= 0x80000010 && $pc < 0x8000002c
stepi
echo \n[to the end, and once more]\n
set var $pc = 0x80000038
continue
info threads
starti
print/x $pc
tbreak *0x80000024
continue
echo \n[attached by another connection]\n
disconnect
eval "target extended-remote 127.0.0.1:%d", $port
print/x $pc
kill
