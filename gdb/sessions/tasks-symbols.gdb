# machine: kernel riscv64 on stripped, 2 harts
# The machine knows no symbols: GDB has them. Two harts, of which one runs the kernel.

directory Tests/TestSupport/Scheduler
echo \n[nobody knows a symbol]\n
file
eval "target extended-remote 127.0.0.1:%d", $port
monitor threads rtos
echo \n[GDB has them]\n
disconnect
eval "file %s", $program
eval "target extended-remote 127.0.0.1:%d", $port
monitor threads rtos
tbreak count_one if counters[0] == 3
continue
info threads
thread 5
backtrace
monitor threads cpu
info threads
