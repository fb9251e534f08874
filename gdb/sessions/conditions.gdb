# machine: program
# Conditions and commands that the target carries out: GDB hears of the hits alone.

eval "target extended-remote 127.0.0.1:%d", $port
set breakpoint condition-evaluation target
echo \n[a condition on a register]\n
break *0x80000024 if $t0 == 1000
continue
print $t0
echo \n[on memory, with two places to it]\n
condition 1 *(long*)0x80001000 == 2000 || $t0 == 5000
continue
print $t0
continue
print $t0
echo \n[what has no value stops]\n
condition 1 *(long*)0 == 1
continue
print $t0
condition 1 $t0 / ($t0 - $t0) == 1
continue
delete
echo \n[printing without a stop]\n
set dprintf-style agent
dprintf *0x80000014,"t0=%d counter=%#lx\n", $t0, *(long*)0x80001000
break *0x80000024 if $t0 == 5006
continue
delete
echo \n[two at one place]\n
dprintf *0x80000028,"a0=%d, ", $a0 & 7
dprintf *0x80000028,"in the function\n"
tbreak *0x80000020 if $t0 == 5008
continue
info breakpoints
