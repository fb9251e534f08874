"""Owns 'martlet tlb'."""

from . import output, target
from .command import Subcommand, nothing_left


class TLB(Subcommand):
    """List the pages that the inline TLB of translated code holds.
martlet tlb
It is that of the hart that 'monitor cpu' has chosen."""

    def run(self, text):
        nothing_left(text.split())
        answer = target.ask("info tlb")
        is_table = not answer or isinstance(answer[0], dict)
        output.show(output.table(answer, COLUMNS) if is_table else answer)


COLUMNS = [
    output.Column("virtual", style="address"),
    output.Column("physical", style="address"),
    output.Column("reads"),
    output.Column("writes"),
    output.Column("region", least=12),
]

TLB("tlb")
