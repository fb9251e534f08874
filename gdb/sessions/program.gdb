# machine: program
# A session with the tests' program: breakpoints, steps, registers, memory, watchpoints, detach and attach again.

eval "target extended-remote 127.0.0.1:%d", $port
info threads
x/4i $pc
echo \n[breakpoint, steps]\n
break *0x80000024
continue
info registers ra sp pc a0
stepi
stepi
x/i $pc
echo \n[registers]\n
print/x $a0 = 0x1234
info registers mhartid mcause satp priv minstret
print $mscratch = 99
info registers mscratch
echo \n[memory]\n
x/2gx 0x80001000
x/2wx 0x80000010
set {long}0x80001000 = 0x1111
x/gx 0x80001000
x/wx 0x2004000
echo \n[watchpoints]\n
delete
watch *(long*)0x80001000
continue
continue
delete
rwatch *(long*)0x80001000
continue
delete
awatch *(char*)0x80001001
continue
continue
delete
echo \n[temporary and hardware breakpoints]\n
tbreak *0x80000010
continue
hbreak *0x80000028
continue
delete
echo \n[monitor]\n
monitor say hello
echo \n[interrupt a running guest]\n
shell (sleep 0.5; kill -INT $PPID) &
continue
echo \n[detach, attach again]\n
detach
eval "target extended-remote 127.0.0.1:%d", $port
print $pc >= 0x80000010 && $pc < 0x8000002c
echo \n[interrupt a waiting guest, send it elsewhere]\n
set var $pc = 0x80000030
shell (sleep 0.5; kill -INT $PPID) &
continue
x/i $pc
set var $pc = 0x80000010
tbreak *0x80000024
continue
echo \n[start again, end]\n
starti
print/x $pc
set var $pc = 0x80000038
continue
