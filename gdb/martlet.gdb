# Settings that suit a session with Martlet: gdb-multiarch -x gdb/martlet.gdb [ELF]
# Then: martlet [PORT]

set confirm off
set pagination off
set remotetimeout 5
set disassemble-next-line on

define martlet
  if $argc == 0
    target extended-remote localhost:1234
  else
    target extended-remote localhost:$arg0
  end
end

document martlet
martlet [PORT]: attach to a Martlet that was started with -s, or with -gdb tcp::PORT.
It stops the guest; 'detach' lets it run on, 'run' resets it. 'monitor help' lists the monitor's commands.
end

define csrs
  info registers csr
end

document csrs
Show every control and status register.
end

define tasks
  monitor info tasks
end

document tasks
List the tasks of the guest's kernel. 'monitor threads rtos' makes them threads, 'monitor threads cpu' the CPUs again.
end

define svd
  if $argc == 0
    monitor svd
  else
    monitor svd $arg0
  end
end

document svd
svd [PERIPHERAL[.REGISTER]]: registers by the names of the file of --svd, or of Martlet's own models.
end

# Commands of the monitor may change registers, which GDB would go on showing as they were.
python
gdb.execute("""define hookpost-monitor
python gdb.execute("maintenance flush register-cache", to_string=True)
end""")
end
