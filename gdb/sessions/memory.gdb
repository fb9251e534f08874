# machine: kernel riscv64
# Much memory at once: sections compared with the file, and searches.

eval "target extended-remote 127.0.0.1:%d", $port
compare-sections
set var *(char *) start_first_task ^= 1
compare-sections .text
set var *(char *) start_first_task ^= 1
compare-sections .text
tbreak count_one
continue
echo \n[what the guest has written is found]\n
find /b &tasks, +sizeof(tasks), 'w', 'a', 'i', 't', 'e', 'r'
print (char *) $_ == (char *) &tasks[3].name
print $numfound
find /g /3 &stacks, +sizeof(stacks), 0xa5a5a5a5a5a5a5a5
print (char *) $_ - (char *) &stacks
echo \n[and what is not there is not, in all of memory]\n
find /g 0x80000000, +0x4000000, 0x0123456789abcdef
kill
