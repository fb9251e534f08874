# machine: uboot
# Debian's OpenSBI and U-Boot: a breakpoint in U-Boot, steps, CSRs, memory, watchpoints, Ctrl-C at the prompt, detach and
# attach again.

eval "target extended-remote 127.0.0.1:%d", $port
break *0x80200000
continue
delete
x/3i $pc
stepi
stepi
info registers pc priv mhartid sstatus satp stvec
print/x $mtvec != 0
echo \n[memory]\n
x/2wx 0x80200000
set {int}0x81000000 = 0x12345678
x/wx 0x81000000
set {int}0x81000000 = 0
x/bx 0x10000005
echo \n[a watchpoint where U-Boot relocates itself to]\n
watch *(int*)0x87f7ac00
continue
delete
echo \n[at the prompt]\n
monitor await-prompt
shell (sleep 0.5; kill -INT $PPID) &
continue
info registers priv
print $pc > 0x87000000
echo \n[a watchpoint on the line status register]\n
rwatch *(unsigned char*)0x10000005
continue
delete
echo \n[detach, attach again]\n
detach
eval "target extended-remote 127.0.0.1:%d", $port
print $pc > 0x80000000
stepi
print $pc > 0x80000000
detach
