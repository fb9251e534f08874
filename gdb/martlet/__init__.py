"""GDB's command 'martlet' with its subcommands, and the functions $_device_register and $_martlet_block.

gdb/martlet.gdb loads it. Each command has a file of its own; what they share is `target` (asking Martlet),
`expression` (what the user's words mean), `output` (tables, colours) and `command` (errors, completion).
"""

from . import attach  # noqa: F401  the prefix, which the others need
from . import block, blocks, devices, exception_frame, graph, ir, monitor, registers  # noqa: F401
from . import stops, tasks, tlb, walk, why  # noqa: F401
from . import functions  # noqa: F401
