# machine: vectors
# Breakpoints of the monitor's, on more than addresses, stop for GDB, and say why.

eval "target extended-remote 127.0.0.1:%d", $port
echo \n[an exception]\n
monitor tbreak exception svc
continue
x/i $pc
print $xpsr & 0x1ff
echo \n[a number of instructions]\n
monitor break instructions 2
continue
x/i $pc
echo \n[any fault; a list]\n
monitor watch msr primask rw
monitor break exception *fault if $r0 == 2
monitor info breakpoints
continue
continue
print $r0
x/i $pc
echo \n[what there is not]\n
monitor break exception page
monitor watch uart@40004000.CTRL.NONE
