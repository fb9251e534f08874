"""Owns 'martlet blocks'."""

import gdb

from . import expression, output, target
from .command import Subcommand

ORDERS = ("pc", "hot", "size", "retranslated")
DEFAULT = 40


class Blocks(Subcommand):
    """List the translation blocks in Martlet's code cache.
martlet blocks [sort pc|hot|size|retranslated] [COUNT]
Without a count, 40 are listed. 'hot' needs the counts of 'monitor profile on'."""

    def run(self, text):
        words = text.split()
        line = "blocks"
        if words and words[0] == "sort":
            if len(words) < 2 or words[1] not in ORDERS:
                raise gdb.GdbError("sort by one of: " + ", ".join(ORDERS))
            line += " sort " + words[1]
            words = words[2:]
        limit = expression.count(" ".join(words)) if words else DEFAULT
        rows = target.ask("%s %d" % (line, limit))
        output.show(output.table(rows, COLUMNS))
        if len(rows) == limit:
            output.show("(%d blocks; a larger count lists more)" % limit)

    def words(self, before):
        if not before:
            return ["sort"]
        return ORDERS if before == ["sort"] else gdb.COMPLETE_EXPRESSION


COLUMNS = [
    output.Column("block", right=True),
    output.Column("pc", style="address"),
    output.Column("symbol", style="function", least=12),
    output.Column("instrs", right=True),
    output.Column("guest_b", "guest B", right=True, goes=2),
    output.Column("ir_ops", "IR ops", right=True, goes=4),
    output.Column("host_b", "host B", right=True, goes=5),
    output.Column("b/b", "B/B", right=True, goes=1),
    output.Column("chains", goes=6),
    output.Column("retrans", right=True, goes=3),
    output.Column("runs", right=True),
    output.Column("share_%", "share %", right=True),
]

Blocks("blocks")
