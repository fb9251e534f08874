# machine: kernel arm
# Tasks of a kernel as threads.

directory Tests/TestSupport/Scheduler
eval "target extended-remote 127.0.0.1:%d", $port
echo \n[CPUs are the threads]\n
info threads
monitor threads
echo \n[tasks, before there are any]\n
monitor threads rtos
info threads
tbreak count_one if counters[1] == 2
continue
echo \n[tasks]\n
info threads
thread 3
print $pc == (unsigned) &switch_task + 8
backtrace
info registers pc sp r11 psp
thread 4
backtrace
frame 1
info locals
echo \n[each task at its breakpoint]\n
delete
break count_one
continue
continue
info breakpoints
delete
echo \n[stepping]\n
thread 4
stepi
next
finish
echo \n[registers of a task that does not run]\n
thread 3
set $r11 = 0x1234
print $r11
python
try:
  gdb.execute("set $sp = 0")
except gdb.error as error:
  print(error)
end
echo \n[the monitor]\n
monitor info tasks
echo \n[CPUs again]\n
monitor threads cpu
info threads
