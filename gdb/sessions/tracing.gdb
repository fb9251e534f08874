# machine: program
# Tracepoints: what they collect, frame by frame, with conditions, variables, steps and counts.

eval "target extended-remote 127.0.0.1:%d", $port
tstatus
echo \n[three values at the load, and the way there]\n
trace *0x80000018
actions
  collect $t0, *(long*)0x80001000, $a0
end
tvariable $odd = 0
trace *0x80000024 if $t0 & 1
actions
  teval $odd = $odd + 1
  collect $odd, $a0
end
tstart
tbreak *0x80000020 if $t0 == 3
continue
tstop
tstatus
info tracepoints
info tvariables
tfind start
tdump
info registers a0 a1 pc
print *(long*)0x80001000
print *(long*)0x80001008
tfind
tdump
tfind tracepoint 1
print $t0
tfind pc 0x80000024
print $odd
tfind range 0x80000010, 0x80000018
tfind outside 0x80000010, 0x80000018
tfind none
print $t0
echo \n[steps behind a hit, all registers, and an end by count]\n
delete
trace *0x8000001c
actions
  collect $regs
  while-stepping 2
    collect $a0
  end
end
passcount 2
tbreak *0x80000020 if $t0 == 8
tstart
continue
tstatus
tfind start
while $trace_frame != -1
  printf "frame %d of tracepoint %d: pc %#lx, a0 %ld\n", $trace_frame, $tpnum, $pc, $a0
  tfind
end
echo \n[the newest in a small buffer; off and on while it runs]\n
delete
trace *0x80000018
actions
  collect $t0
end
set circular-trace-buffer on
set trace-buffer-size 300
set trace-notes what is it
tstart
tbreak *0x80000020 if $t0 == 1000
continue
disable 6
tbreak *0x80000020 if $t0 == 1010
continue
enable 6
tbreak *0x80000020 if $t0 == 1020
continue
tstop
tstatus
tfind start
print $t0
tfind 4
print $t0
echo \n[an error ends it]\n
tfind none
delete
set circular-trace-buffer off
set trace-buffer-size unlimited
trace *0x80000018 if 1 / ($t0 - 1022)
tstart
tbreak *0x80000020 if $t0 == 1030
continue
tstatus
echo \n[fast ones are as others]\n
delete
ftrace *0x80000018
tstart
tbreak *0x80000020 if $t0 == 1032
continue
tstatus
