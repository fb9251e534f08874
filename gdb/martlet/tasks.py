"""Owns 'martlet tasks'."""

from . import output, target
from .command import Subcommand, nothing_left


class Tasks(Subcommand):
    """List the tasks of the guest's kernel with the use of their stacks, in bytes.
martlet tasks
'monitor threads rtos' makes them GDB's threads, 'monitor threads cpu' the CPUs again."""

    def run(self, text):
        nothing_left(text.split())
        answer = target.ask("info tasks")
        rows = answer["tasks"]
        started = "" if answer["started"] else "; the scheduler has not started"
        output.show("%s, %d tasks%s" % (answer["kernel"], len(rows), started))
        output.show(output.table(rows, COLUMNS))
        output.show(answer["problems"])


COLUMNS = [
    output.Column("", ""),
    output.Column("task", style="address", goes=2),
    output.Column("name", style="variable", least=12),
    output.Column("state"),
    output.Column("priority", right=True, goes=4),
    output.Column("used", right=True),
    output.Column("free", right=True),
    output.Column("size", right=True, goes=1),
    output.Column("never_used", right=True),
    output.Column("pc", style="address", goes=3),
    output.Column("symbol", style="function", least=12),
]

Tasks("tasks")
