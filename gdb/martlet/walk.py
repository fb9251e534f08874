"""Owns 'martlet walk': how an address is translated."""

import gdb

from . import expression, output, target
from .command import Subcommand

# The lowest bits of an entry, from bit 0 up. Source: The RISC-V Instruction Set Manual, Volume II, "Sv32".
RISCV_BITS = "VRWXUGAD"


class Walk(Subcommand):
    """Translate a virtual address, showing each page-table entry on the way.
martlet walk [ADDRESS]
ADDRESS is an expression; $pc is the default."""

    def run(self, text):
        virtual = expression.address(text or "$pc")
        answer = target.ask_hart("walk %#x" % virtual)
        entries = answer["entries"]
        output.show("virtual   %s%s" % (output.paint(answer["virtual"], "address"), expression.symbol(virtual)))
        for number, entry in enumerate(entries, 1):
            output.show("entry %d   %s" % (number, self.text(entry)))
        if answer["physical"] is None:
            return output.show("not mapped")
        if not entries:
            output.show("no translation in this mode")
        region = " (%s)" % answer["region"] if answer["region"] else " (nothing answers there)"
        output.show("physical  %s%s" % (output.paint(answer["physical"], "address"), region))

    @staticmethod
    def text(entry):
        place = "at " + output.paint(entry["address"], "address")
        if entry["value"] is None:
            return place + ": bus error"
        bits = int(entry["value"], 16)
        flags = "".join(name if bits >> index & 1 else "-" for index, name in enumerate(RISCV_BITS))
        return "%s: %s  %s" % (place, entry["value"], flags)

    def words(self, before):
        return gdb.COMPLETE_EXPRESSION


Walk("walk")
