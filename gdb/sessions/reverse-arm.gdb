# machine: swift mps2_an386, past
# Going back: out of a handler and over the entry of an interrupt, to a watchpoint and to breakpoints, and forward again.

source gdb/swift.py
swift-symbols
directory boards/swift
eval "target extended-remote 127.0.0.1:%d", $port
echo \n[to the third tick]\n
break Crossing::TrafficLight::tick
continue
continue
continue
print ticks
echo \n[back over what was just executed]\n
stepi
reverse-stepi
reverse-continue
print ticks
reverse-continue
print ticks
echo \n[out of the handler, backwards]\n
delete
reverse-finish
break Crossing::onTimerInterrupt
reverse-continue
backtrace 2
delete
echo \n[over the entry of the interrupt]\n
while ($xpsr & 0x1ff) != 0
  reverse-stepi
end
x/i $pc
stepi
x/i $pc
reverse-stepi
x/i $pc
echo \n[forward is as it was]\n
break Crossing::TrafficLight::tick
continue
print ticks
continue
print ticks
delete
echo \n[who wrote the counter?]\n
tbreak Crossing::report
continue
print ticks
watch ticks
reverse-continue
reverse-continue
backtrace 2
delete
echo \n[another future]\n
print light.remaining
set var light.remaining = 5
tbreak Crossing::report
continue
print ticks
reverse-stepi
stepi
print ticks
echo \n[the beginning]\n
reverse-continue
stepi
detach
