# machine: float mps2_an386
# The registers of a Cortex-M4's floating-point unit: s0 to s31 and d0 to d15 are the same bits.

eval "target extended-remote 127.0.0.1:%d", $port
echo \n[before the unit is on]\n
print $s0
stepi 5
x/i $pc
echo \n[single precision]\n
stepi
print $s0
set $s3 = 2.25
stepi
x/i $pc
print $s2
print/x $d1
echo \n[flags]\n
stepi
print/x $fpscr
echo \n[double precision]\n
set $d15 = -0.5
print $d15
print $s31
print/x $s30
echo \n[all of them]\n
info registers float
info registers s2 s3 d1 d15 fpscr
