"""Owns 'martlet stops'."""

import gdb

from . import expression, output, target
from .command import Subcommand


class Stops(Subcommand):
    """Let the guest run, ask it to stop at random moments, and show how long that takes.
martlet stops [COUNT]
1000 times without a count. The guest runs on meanwhile; a guest that stood stands again afterwards."""

    def run(self, text):
        line = "stops %d" % expression.count(text) if text else "stops"
        was_stopped = target.ask("info status")["state"] == "stopped"
        try:
            output.show(output.fields(target.ask(line)))
        finally:
            if was_stopped:
                target.ask("stop")
                target.note_changes()
                pc = expression.address("$pc")
                output.show("The guest has run on meanwhile, and stands at %s%s." % (
                    output.paint("%#x" % pc, "address"), expression.symbol(pc)))

    def words(self, before):
        return gdb.COMPLETE_EXPRESSION


Stops("stops")
