"""Owns 'martlet graph'."""

import gdb

from . import expression, output, target
from .command import Subcommand

FORMS = ("text", "dot", "svg")


class Graph(Subcommand):
    """Show how translation blocks lead to one another.
martlet graph [text|dot|svg] [hot [COUNT]] [LOCATION] [> FILE]
All blocks, or those reached from LOCATION ('martlet block' says what that is); 'hot' shows the COUNT hottest of them (30),
and needs the counts of 'monitor profile on'. In Graphviz's language dot, or as a picture made by Graphviz:
  martlet graph main > main.dot
  martlet graph hot 20 > hot.svg
'monitor graph FUNCTION' shows the blocks of a function."""

    def run(self, text):
        place, arrow, path = (part.strip() for part in text.partition(">"))
        if arrow and not path:
            raise gdb.GdbError("a file's name must follow '>'")
        words = place.split()
        form = words.pop(0) if words and words[0] in FORMS else self.form(path)
        line = "graph " + form
        if words and words[0] == "hot":
            line += " " + words.pop(0)
            if words and words[0].isdecimal():
                line += " " + words.pop(0)
        if words:
            line += " from " + expression.place(" ".join(words))
        lines = target.ask(line)["lines"]
        if not arrow:
            return output.show(lines)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        output.show("%d lines written to %s" % (len(lines), output.paint(path, "filename")))

    def form(self, path):
        """What a file's name says."""
        return "svg" if path.endswith(".svg") else "dot" if path.endswith((".dot", ".gv")) else "text"

    def words(self, before):
        if not before:
            return FORMS + ("hot",)
        return gdb.COMPLETE_FILENAME if before[-1] == ">" else gdb.COMPLETE_EXPRESSION


Graph("graph")
