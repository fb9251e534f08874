# machine: clusters
# Two clusters of two harts: each is an inferior. Hart 0 runs the loop, hart 2 is made to do so, the others wait.

eval "target extended-remote 127.0.0.1:%d", $port
info threads
info os processes
add-inferior
inferior 2
attach 2
info inferiors
info threads
set var $s1 = 0x80001008
set var $pc = 0x80000010
echo \n[a breakpoint of one inferior; the other one stands still]\n
break *0x80000024
continue
info threads
print *(long *) 0x80001000
inferior 1
print/x $pc
echo \n[both run, each to its own]\n
delete
set schedule-multiple on
tbreak *0x80000028
continue
info threads
echo \n[one is left, and taken up again]\n
inferior 2
detach
info inferiors
info threads
inferior 1
tbreak *0x80000024 if $t0 == 1000
continue
print *(long *) 0x80001008 > 0
inferior 2
attach 2
print $mhartid
print $pc >= 0x80000010 && $pc < 0x8000002c
inferior 1
print $t0
detach
inferior 2
detach
