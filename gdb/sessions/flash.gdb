# machine: swift mps2_an386 on lm3s6965evb
# A board with empty flash memory: `load` erases and programs it, a reset starts what was loaded.

source gdb/swift.py
swift-symbols
directory boards/swift
eval "target extended-remote 127.0.0.1:%d", $port
info mem
load
compare-sections
monitor reset halt
maintenance flush register-cache
print $pc
break Crossing::Board::start
continue
backtrace 1
print/x *(unsigned *) 0 == $msp
echo \n[once more, over what is there]\n
load
monitor reset halt
maintenance flush register-cache
continue
