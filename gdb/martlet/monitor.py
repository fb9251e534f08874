"""Owns 'martlet monitor'."""

from . import output, target
from .command import Subcommand


class Monitor(Subcommand):
    """Carry out a line of Martlet's monitor, as 'monitor' does, with completion, in GDB's width and through its pager.
martlet monitor COMMAND
'martlet monitor help' lists the commands."""

    # What the monitor takes where neither the user nor a terminal has said how wide a listing may be, and its limits.
    default, narrowest, widest = 100, 60, 1000

    def run(self, text):
        columns = target.ask("columns")["columns"]
        width = output.width()
        is_ours = bool(width) and columns == self.default
        if is_ours:
            target.ask("columns %d" % min(max(width, self.narrowest), self.widest))
        try:
            output.show(target.tell(text or "help").splitlines())
        finally:
            if is_ours:
                target.ask("columns 0")

    def complete(self, text, word):
        try:
            # GDB's word may begin within one of the monitor's, which hold '-', '@', '.' and '$'.
            start = text[: len(text) - len(word)].split(" ")[-1]
            found = target.ask('complete "%s"' % text.replace('"', ""))
        except Exception:  # completion has nobody to tell
            return []
        return [name[len(start):] for name in found]


Monitor("monitor")
