# machine: kernel arm
# What 'martlet' says where it can show nothing.

source gdb/martlet.gdb
set disassemble-next-line off
directory Tests/TestSupport/Scheduler
python
def attempt(*lines):
  for line in lines:
    print("(gdb) " + line)
    try:
      gdb.execute(line)
    except gdb.error as error:
      print(error)
every = (
  "blocks", "block main", "ir main", "graph", "why", "devices", "registers", "tasks", "tlb", "walk main", "stops",
  "monitor help", "exception-frame")
end
echo \n[nothing is connected]\n
python attempt(*("martlet " + name for name in every))
python attempt('print $_device_register("uart0.CTRL")', 'print $_martlet_block(main)')
echo \n[something else is]\n
target native
python attempt("martlet blocks", "martlet exception-frame", 'print $_device_register("uart0.CTRL")')
python attempt("martlet uart0", "martlet 0")
echo \n[words that mean nothing]\n
eval "martlet %d", $port
python attempt("martlet blocks sort", "martlet blocks sort colour", "martlet blocks 0", "martlet blocks main.c")
python attempt("martlet block nowhere", "martlet block scheduler.c:9999", "martlet block main", "martlet block #4711")
python attempt("martlet ir diff", "martlet ir main after Magic", "martlet ir main after CopyPropagation now")
python attempt("martlet graph main", "martlet graph >", "martlet graph > /nonexistent/x", "martlet why")
python attempt("martlet registers nothing", "martlet registers uart0 nothing", "martlet registers uart0 ctrl txen")
python attempt('martlet registers "', "martlet registers")
python attempt("martlet devices uart0", "martlet tlb now", "martlet walk )", "martlet stops many", "martlet stops -1")
python attempt("martlet monitor peak 0", "martlet exception-frame", "martlet exception-frame 0x60000000")
python
attempt(*('print $_device_register(%s)' % name for name in (
  '"uart0"', '"uart0.nothing"', '"uart0.CTRL.nothing"', '"uart0.DATA"', '"nothing.CTRL"', '""', "7", '"uart0.\\"', "")))
attempt("print $_martlet_block(nowhere)", "print $_martlet_block(1, 2)")
end
echo \n[the guest runs]\n
continue &
python attempt(*("martlet " + name for name in every))
python attempt('print $_device_register("uart0.CTRL")', "print $_martlet_block()")
