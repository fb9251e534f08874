import Testing
@Suite struct Show { @Test func show() throws {
  for host in ["jit", "interpreter"] {
  let bench = try Bench(host: host)
  for command in ["info status", "profile on", "break done", "cont", "info breakpoints", "until done", "blocks", "blocks sort hot 3", "block loop", "ir loop before", "ir loop", "ir diff loop RegisterForwarding", "ir diff loop DeadWriteElimination", "ir loop after CopyPropagation:2", "reset halt", "step op", "step op", "step op 3", "step op finish", "graph", "info jit", "info mtree", "info qtree", "info irq", "info registers", "info registers a0 mstatus", "x/6i _start", "x/4xg $sp", "x/s _start", "xp/8xb 0x80000000", "disassemble", "walk $pc", "info tlb", "info cpus", "info symbols", "pass list", "pass off DeadCodeElimination", "info device clint", "help", "help x", "block loop --json", "blocks --json"] {
    print("(martlet) \(command)"); print(bench(command))
  }}
}}
