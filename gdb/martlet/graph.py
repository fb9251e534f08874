"""Owns 'martlet graph'."""

import gdb

from . import expression, output, target
from .command import Subcommand


class Graph(Subcommand):
    """Show how translation blocks are chained, in Graphviz's language dot.
martlet graph [LOCATION] [> FILE]
All blocks, or those reached from LOCATION ('martlet block' says what that is). For a picture:
  martlet graph main > main.dot
  shell dot -Tsvg main.dot -o main.svg"""

    def run(self, text):
        place, arrow, path = (part.strip() for part in text.partition(">"))
        if arrow and not path:
            raise gdb.GdbError("a file's name must follow '>'")
        lines = target.ask("graph " + expression.place(place) if place else "graph")
        if not arrow:
            return output.show(lines)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        output.show("%d lines written to %s" % (len(lines), output.paint(path, "filename")))

    def words(self, before):
        return gdb.COMPLETE_FILENAME if before and before[-1] == ">" else gdb.COMPLETE_EXPRESSION


Graph("graph")
