# machine: uboot
# Debian's OpenSBI and U-Boot: a breakpoint in U-Boot, steps, CSRs, memory, a watchpoint, Ctrl-C at the prompt, detach and
# attach again.

eval "target extended-remote 127.0.0.1:%d", $port
break *0x80200000
continue
delete
x/3i $pc
stepi
stepi
print $pc != 0x80200000
print $priv
info registers sstatus satp stvec mhartid
echo \n[memory]\n
x/2wx 0x80200000
x/s 0x80200000+0x0
set {int}0x81000000 = 0x12345678
x/wx 0x81000000
echo \n[watchpoint: the first store to the stack]\n
watch *(long*)($sp-16)
delete
echo \n[at the prompt]\n
monitor await-prompt
shell (sleep 1; kill -INT $PPID) &
continue
info registers priv
print $pc > 0x80000000
watch *(long*)($sp-8)
continue
delete
echo \n[detach, attach again]\n
detach
monitor nothing
eval "target extended-remote 127.0.0.1:%d", $port
stepi
print $pc > 0x80000000
detach
