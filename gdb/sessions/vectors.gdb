# machine: vectors
# Handlers of a Cortex-M: steps into and out of them, a breakpoint instruction, vector catch, registers of the system.

eval "target extended-remote 127.0.0.1:%d", $port
echo \n[into the handler of SVC and out of it]\n
stepi
stepi
print $xpsr & 0x1ff
x/i $pc
print/x $lr
stepi
stepi
x/i $pc
print $xpsr & 0x1ff
echo \n[a breakpoint instruction stops, and is passed]\n
continue
stepi
x/i $pc
echo \n[a fault is caught]\n
monitor cortex_m vector_catch hard_err
continue
x/i $pc
print/x *(unsigned *)0xe000ed28
print/x *(unsigned *)0xe000ed2c
backtrace 3
echo \n[interrupts stay pending in steps]\n
monitor maskisr on
echo \n[a reset is caught]\n
monitor catch reset
monitor reset
continue
x/i $pc
info registers sp msp psp control
