# machine: swift mps2_an386 on stm32f4_disco
# A program linked at the boot alias of the flash memory: `load` goes to the one memory behind both addresses.

source gdb/swift.py
swift-symbols
directory boards/swift
eval "target extended-remote 127.0.0.1:%d", $port
load
compare-sections
print *(unsigned *) 0x08000000 == *(unsigned *) 0
monitor reset halt
maintenance flush register-cache
print *(unsigned *) 0 == $msp
break Crossing::Board::start
continue
backtrace 1
echo \n[once more, over what is there]\n
load
monitor reset halt
maintenance flush register-cache
continue
