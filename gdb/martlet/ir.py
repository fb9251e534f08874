"""Owns 'martlet ir': a block's IR at each stage of its translation."""

import gdb

from . import expression, output, target
from .command import Subcommand, nothing_left

SIDES = ("before", "after")


class IR(Subcommand):
    """Show the IR of a block, as compiled, or before or after a pass of the optimiser.
martlet ir [LOCATION]                        as compiled
martlet ir [LOCATION] before                 as decoded
martlet ir [LOCATION] before|after PASS[:N]  around a pass (its N-th run)
martlet ir diff [LOCATION] PASS[:N]          what a pass did
LOCATION is as for 'martlet block'. Where nothing is translated, it is what translation would give."""

    def run(self, text):
        words = text.split()
        if words and words[0] == "diff":
            return self.difference(words[1:])
        side = next((index for index, word in enumerate(words) if word in SIDES), len(words))
        nothing_left(words[side + 2:])
        answer = target.ask_hart(" ".join(["ir", place(words[:side])] + words[side:]))
        start = int(answer["pc"], 16)
        ops = answer["ops"]
        output.show("block at %s%s, %s: %d ops" % (
            output.paint(answer["pc"], "address"), expression.symbol(start), answer["stage"], len(ops)))
        output.show(line for op in ops for line in self.lines(op))

    @staticmethod
    def difference(words):
        if not words:
            raise gdb.GdbError("which pass? " + ", ".join(passes()))
        answer = target.ask_hart("ir diff %s %s" % (place(words[:-1]), words[-1]))
        output.show("%s%s: %d -> %d ops" % (
            answer["pass"], "" if answer["ran"] else ", as it would be (it has not run here)", answer["before"],
            answer["after"]))
        output.show(output.paint(change, "highlight" if change[0] == "+" else "metadata")
                    for change in answer["changes"])

    @staticmethod
    def lines(op):
        """An op; a guest instruction, which the IR's text calls 'instruction PC LENGTH', as a heading."""
        words = op.split()
        if words[0] != "instruction":
            return ["    " + part for part in output.wrap(op, (output.width() or 0) - 4)]
        pc = int(words[1], 16)
        return ["  " + output.paint("%#x  %s" % (pc, disassembly(pc)), "function")]

    def words(self, before):
        if before and before[0] == "diff":
            return passes() if len(before) > 1 else gdb.COMPLETE_EXPRESSION
        if before and before[-1] in SIDES:
            return passes()
        return SIDES if before else gdb.COMPLETE_EXPRESSION


def place(words):
    return expression.place(" ".join(words) or "$pc")


def passes():
    return [row["pass"] for row in target.ask("pass list")]


def disassembly(pc):
    try:
        text = gdb.selected_frame().architecture().disassemble(pc)[0]["asm"]
    except gdb.error:
        return ""
    return " ".join(text.split())


IR("ir")
