# machine: swift mps2_an386
# Frames that GDB takes away or adds: return, calls of functions, finish from a function without result.

source gdb/swift.py
swift-symbols
directory boards/swift
eval "target extended-remote 127.0.0.1:%d", $port
echo \n[finish from functions without result]\n
tbreak Crossing::TrafficLight::advance
continue
backtrace 3
finish
tbreak Crossing::report
continue
finish
echo \n[return in the interrupt handler]\n
tbreak Crossing::TrafficLight::tick
continue
return
backtrace 3
print $msp == $sp
stepi
backtrace 3
echo \n[a call from it]\n
print $r0
print ((int (*)(int)) 'Crossing::putCharacter')(0x2a) == 0x2a
print $msp == $sp
backtrace 3
tbreak Crossing::onTimerInterrupt
continue
backtrace 3
