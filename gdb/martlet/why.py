"""Owns 'martlet why'."""

import gdb

from . import expression, output, target
from .blocks import DEFAULT
from .command import Subcommand


class Why(Subcommand):
    """Show what slows the guest: exits to the engine, helpers, faults, misses, dearest first.
martlet why [COUNT]              blocks
martlet why LOCATION             the instructions of a block; LOCATION is as for 'martlet block'
martlet why causes [LOCATION]    what code was left for, or waited for, and what to do about it
martlet why chains [LOCATION]    why exits of a block lead to the engine in place of other blocks
All but the last need the counts of 'monitor profile on'."""

    def run(self, text):
        word, _, place = text.partition(" ")
        if word in ("causes", "chains"):
            rows = target.ask("why %s %s" % (word, expression.place(place) if place.strip() else ""))
            return output.show(causes(rows) if word == "causes" else exits(rows))
        if not text or text.isdecimal():
            rows = target.ask("why %d" % (expression.count(text) if text else DEFAULT))
            output.show(output.table(rows, BLOCK + EVENTS))
            return
        for rows in target.ask("why " + expression.place(text)).values():
            if not rows:
                output.show("nothing slow has happened in that block")
                continue
            first = rows[0]["pc"]
            output.show("block at %s%s" % (output.paint(first, "address"), expression.symbol(int(first, 16))))
            output.show(output.table(rows, INSTRUCTION + EVENTS + HELPERS))

    def words(self, before):
        return gdb.COMPLETE_EXPRESSION


def causes(rows):
    """Each cause with its count, and what to do about it below."""
    if not rows:
        return "nothing has kept translated code from running on"
    lines = []
    for row in rows:
        where = "mostly at %s %s" % (output.paint(row["mostly_at"], "address"), row["symbol"] or "")
        lines.append("%10d times  %s, %s" % (row["times"], row["cause"], where))
        lines.append(" " * 18 + row["to_do"])
    return lines


def exits(rows):
    """Each exit with where it leads, or why not there."""
    if not rows:
        return "no exit leads to a known place"
    lines = []
    for row in rows:
        head = "block %d, exit %d to %s %s: " % (row["block"], row["exit"], row["target"], row["symbol"] or "")
        lines.append(head + (row["cause"] or "chained to #%s" % row["chained_to"]))
        if row["to_do"]:
            lines.append("    " + row["to_do"])
    return lines


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
    output.Column("stops", right=True, goes=3),
    output.Column("about_us", "about us", right=True),
]
HELPERS = [output.Column("helper_calls", least=12, goes=1)]

Why("why")
