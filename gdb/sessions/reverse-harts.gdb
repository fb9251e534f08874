# machine: program, 2 harts, past
# Going back with two harts: steps of either, one held, memory that was changed meanwhile.

eval "target extended-remote 127.0.0.1:%d", $port
tbreak *0x80000024
continue
print $minstret
stepi 5
thread 2
stepi
print/x $pc
reverse-stepi
print/x $pc
thread 1
print/x $pc
reverse-stepi 3
print/x $pc
print $minstret
echo \n[what was changed is as it was, and changes again]\n
x/gx 0x80001000
set {long}0x80001000 = 0x77
stepi
x/gx 0x80001000
reverse-stepi 3
x/gx 0x80001000
stepi 3
x/gx 0x80001000
echo \n[and back over all of it]\n
tbreak *0x80000024
continue
print $minstret
print $_thread
reverse-continue
print $minstret
stepi
reverse-stepi
detach
