"""Owns 'martlet block': guest code, IR and host code side by side."""

import gdb

from . import expression, output, target
from .command import Subcommand

# Where no limit is set, a listing is as wide as this.
UNLIMITED = 120
# From this width on, guest code has a column of its own.
THREE_COLUMNS = 100


class Block(Subcommand):
    """Show a translation block: guest code, IR and host code side by side, chains, why it ends.
martlet block [LOCATION]
LOCATION is an expression ($pc, which is the default, main, *0x80000000), FILE:LINE, or #NUMBER of 'martlet blocks'.
Where several blocks have translated an instruction, all are shown."""

    def run(self, text):
        blocks = target.ask_hart("block " + expression.place(text or "$pc"))
        for number, block in enumerate(blocks.values()):
            if number:
                output.show("")
            output.show(self.lines(block))

    def words(self, before):
        return gdb.COMPLETE_EXPRESSION

    def lines(self, block):
        symbol = "" if block["symbol"] is None else " <%s>" % output.paint(block["symbol"], "function")
        yield "block %d at %s%s" % (block["block"], output.paint(block["pc"], "address"), symbol)
        yield from output.fields(block, skip=("block", "pc", "symbol", "instructions"))
        start = int(block["host_code"], 16) if block["host_code"] else 0
        wide = output.width() or UNLIMITED
        parts = [part for part in block["instructions"] if "out_of_line" not in part]
        yield ""
        if wide >= THREE_COLUMNS:
            yield from self.three(parts, start, wide)
        else:
            yield from self.two(parts, start, wide)
        cold = [line for part in block["instructions"] for line in part.get("out_of_line", [])]
        if cold:
            yield output.paint("out of line", "title")
            yield from ("  " + host(line, start) for line in cold)

    def three(self, parts, start, wide):
        guest = min(max([len(heading(part)) for part in parts] + [20]), wide // 3)
        ir = (wide - guest - 6) // 2
        widths = (guest, ir, wide - guest - ir - 6)
        yield row([("guest", "title"), ("IR", "title"), ("host", "title")], widths)
        for part in parts:
            first = heading(part)
            for op, code in lines(part, start) or [("", "")]:
                yield from wrapped([(first, "function"), (op, None), (code, "metadata")], widths)
                first = ""

    def two(self, parts, start, wide):
        ir = (wide - 5) // 2
        widths = (ir, wide - ir - 5)
        yield "  " + row([("IR", "title"), ("host", "title")], widths)
        for part in parts:
            if heading(part):
                yield output.paint(heading(part), "function")
            for op, code in lines(part, start):
                yield from ("  " + line for line in wrapped([(op, None), (code, "metadata")], widths))


def heading(part):
    return "" if part["pc"] is None else "%x  %s" % (int(part["pc"], 16), " ".join(part["text"].split()))


def host(line, start):
    return "+%-4x %s" % (int(line["address"], 16) - start, line["shown"])


def lines(part, start):
    """Pairs of an IR op and an instruction of its host code; the op stands in its first."""
    pairs = []
    for op in part["ir"]:
        code = [host(line, start) for line in op["host"]] or [""]
        pairs += [(op["text"] if index == 0 else "", line) for index, line in enumerate(code)]
    return pairs


def row(cells, widths):
    return " | ".join(output.paint(text.ljust(room), style) for (text, style), room in zip(cells, widths))


def wrapped(cells, widths):
    """Cells in as many lines as the longest needs."""
    columns = [output.textwrap.wrap(text, room, subsequent_indent="  ") for (text, _), room in zip(cells, widths)]
    for index in range(max([len(column) for column in columns] + [1])):
        texts = [column[index] if index < len(column) else "" for column in columns]
        yield row([(text, style) for text, (_, style) in zip(texts, cells)], widths)


Block("block")
