"""Owns 'martlet why'."""

import gdb

from . import expression, output, target
from .blocks import DEFAULT
from .command import Subcommand


class Why(Subcommand):
    """Show what slows the guest: exits to the engine, helpers, faults, misses, dearest first.
martlet why [COUNT]     blocks
martlet why LOCATION    the instructions of a block; LOCATION is as for 'martlet block'
It needs the counts of 'monitor profile on'."""

    def run(self, text):
        if not text or text.isdecimal():
            rows = target.ask("why %d" % (expression.count(text) if text else DEFAULT))
            output.show(output.table(rows, BLOCK + EVENTS))
            return
        for rows in target.ask("why " + expression.place(text)).values():
            first = rows[0]["pc"]
            output.show("block at %s%s" % (output.paint(first, "address"), expression.symbol(int(first, 16))))
            output.show(output.table(rows, INSTRUCTION + EVENTS + HELPERS))

    def words(self, before):
        return gdb.COMPLETE_EXPRESSION


BLOCK = [
    output.Column("block", right=True),
    output.Column("pc", style="address"),
    output.Column("symbol", style="function", least=12),
    output.Column("runs", right=True, goes=3),
]
INSTRUCTION = [
    output.Column("pc", style="address"),
    output.Column("instruction", least=12),
]
# How often each thing happened that takes control from translated code.
EVENTS = [
    output.Column("entries", right=True, goes=2),
    output.Column("unchained", right=True, goes=4),
    output.Column("jump_misses", right=True, goes=5),
    output.Column("leaves", right=True, goes=6),
    output.Column("helpers", right=True, goes=9),
    output.Column("slow_mem", right=True, goes=10),
    output.Column("faults", right=True, goes=8),
    output.Column("tlb_fills", "TLB fills", right=True, goes=7),
    output.Column("about_us", "about us", right=True),
]
HELPERS = [output.Column("helper_calls", least=12, goes=1)]

Why("why")
