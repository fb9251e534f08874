# machine: kernel riscv32
# The monitor lets the guest run behind GDB's back: steps of GDB's begin where it is then.

directory Tests/TestSupport/Scheduler
eval "target extended-remote 127.0.0.1:%d", $port
set logging file /dev/null
set logging redirect on
set logging enabled on
set $before = $minstret
monitor cont
shell sleep 0.05
stepi
set $middle = $minstret
monitor stops 3
stepi
set $after = $minstret
set logging enabled off
print $middle > $before + 1
print $after > $middle + 1
kill
