# machine: swift virt
# Embedded Swift on RISC-V: names from the source, locals, a watchpoint, and the way out of an interrupt handler.

source gdb/swift.py
swift-symbols
directory boards/swift
eval "target extended-remote 127.0.0.1:%d", $port
echo \n[in the interrupt handler, by its name]\n
break Crossing::onTimerInterrupt
continue
backtrace
monitor backtrace
next 3
info locals
print light
delete
echo \n[stepi out of it]\n
while (unsigned int) $pc != (unsigned int) $mepc
  stepi
end
where 2
print (unsigned int) $pc == (unsigned int) $mepc
echo \n[a method, called from the handler]\n
tbreak Crossing::TrafficLight::tick
continue
info args
finish
echo \n[the phase changes]\n
tbreak Crossing::report
continue
info args
print Crossing::light
echo \n[who writes the counter?]\n
watch ticks
continue
backtrace 2
delete
echo \n[out of the handler to what it interrupted]\n
break Crossing::onTimerInterrupt if ticks._value == 400
continue
finish
print (unsigned int) $pc == (unsigned int) $mepc
finish
print ticks
