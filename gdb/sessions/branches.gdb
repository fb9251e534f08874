# machine: program
# The record of branches: what was executed before the stop, forwards and backwards.

eval "target extended-remote 127.0.0.1:%d", $port
record btrace
info record
tbreak *0x80000024 if $t0 == 2
continue
info record
record instruction-history -
record function-call-history
reverse-stepi
reverse-stepi
print $pc
reverse-continue
stepi
record goto end
tbreak *0x80000020
continue
stepi 3
record instruction-history -
record stop
