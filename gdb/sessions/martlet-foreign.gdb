# machine: program
# A server of GDB's protocol whose monitor is not Martlet's.

source gdb/martlet.gdb
set disassemble-next-line off
python
def attempt(line):
  try:
    gdb.execute(line)
  except gdb.error as error:
    print(error)
end
eval "martlet %d", $port
python attempt("martlet blocks")
python attempt("martlet monitor help")
python attempt("print $_martlet_block()")
