# Settings that suit a session with Martlet: gdb-multiarch -x gdb/martlet.gdb [ELF]
# Then: martlet [PORT]

set confirm off
set pagination off
set remotetimeout 5
set disassemble-next-line on

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

# The package 'martlet' beside this file, whose path GDB tells nobody; but GDB has the file open.
python
import os, sys

def load_martlet():
    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink("/proc/self/fd/" + name)
        except OSError:
            continue
        folder = os.path.dirname(path)
        if not path.endswith("/martlet.gdb") or not os.path.isfile(folder + "/martlet/__init__.py"):
            continue
        sys.path.insert(0, folder)
        writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            import martlet
            return
        except Exception as error:
            return "%s/martlet: %s" % (folder, error)
        finally:
            sys.dont_write_bytecode = writes
            sys.path.remove(folder)
    return "the folder 'martlet' is missing beside it; take both from one version of Martlet"

martlet_error = load_martlet()
if martlet_error:
    gdb.write("martlet.gdb: there is no command 'martlet': %s\n" % martlet_error, gdb.STDERR)
end
