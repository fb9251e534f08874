"""Owns 'martlet tlb'."""

from . import output, target
from .command import Subcommand, nothing_left


class TLB(Subcommand):
    """List the pages that the inline TLB of translated code holds.
martlet tlb
It is that of the hart that is GDB's thread."""

    def run(self, text):
        nothing_left(text.split())
        answer = target.ask_hart("info tlb")
        if not answer:
            output.show("No TLB holds a page; where nothing is translated there is none.")
        else:
            output.show(output.table(answer, COLUMNS) if isinstance(answer[0], dict) else answer)


COLUMNS = [
    output.Column("virtual", style="address"),
    output.Column("physical", style="address"),
    output.Column("reads"),
    output.Column("writes"),
    output.Column("region", least=12),
]

TLB("tlb")
