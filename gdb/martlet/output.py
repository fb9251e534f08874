"""Owns what the commands show: lines and tables that fit GDB's width, in GDB's colours, through GDB's pager."""

import os
import textwrap

import gdb

COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


def width():
    """Characters a line; None if there is no limit."""
    return gdb.parameter("width") or None


def is_styled():
    # GDB does not say where output goes, but lifts both limits while it goes into a string or a pipe.
    return (
        gdb.parameter("style enabled")
        and os.isatty(1)
        and os.environ.get("TERM", "dumb") != "dumb"
        and bool(gdb.parameter("width") or gdb.parameter("height"))
        and not (gdb.parameter("logging enabled") and gdb.parameter("logging redirect"))
    )


def paint(text, style):
    """A text in one of GDB's styles: address, function, title, highlight, metadata, variable, filename."""
    if not style or not text.strip() or not is_styled():
        return text
    codes = []
    for ground, base in (("foreground", 30), ("background", 40)):
        colour = gdb.parameter("style %s %s" % (style, ground))
        if colour in COLOURS:
            codes.append(str(base + COLOURS.index(colour)))
    intensity = gdb.parameter("style %s intensity" % style)
    if intensity in ("bold", "dim"):
        codes.append("1" if intensity == "bold" else "2")
    return "\x1b[%sm%s\x1b[m" % (";".join(codes), text) if codes else text


def show(lines):
    """Writes lines, as far as GDB's character set has their characters."""
    charset = gdb.host_charset()
    for line in [lines] if isinstance(lines, str) else lines:
        gdb.write(line.rstrip().encode(charset, "replace").decode(charset) + "\n")


def text(value):
    """A JSON value as it stands in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(text(item) for item in value) or "-"
    if isinstance(value, dict):
        return " ".join("%s=%s" % (name, text(item)) for name, item in value.items())
    return str(value)


def title(key):
    return key.replace("_", " ")


def fields(values, skip=()):
    """`name  value`, one a line; long values go on below."""
    rows = [(title(name), text(value)) for name, value in values.items() if name not in skip]
    room = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        for number, part in enumerate(wrap(value, (width() or 0) - room - 2)):
            yield "%s  %s" % (paint((name if number == 0 else "").ljust(room), "variable"), part)


def wrap(value, room):
    """A text in lines of at most so many characters; as it is where there is no limit, or hardly any room."""
    if not width() or room < 16:
        return [value]
    return textwrap.wrap(value, room, subsequent_indent="  ") or [""]


class Column:
    """A column of a table.

    `least`: to so many characters it may be cut, to make the table fit; 0: it may not.
    `goes`: which columns are left out, the lowest first, if that is not enough; 0 for none of them.
    """

    def __init__(self, key, name=None, style=None, right=False, least=0, goes=0):
        self.key, self.name, self.style = key, title(key) if name is None else name, style
        self.right, self.least, self.goes = right, max(least, len(self.name)) if least else 0, goes

    def cell(self, row):
        return text(row.get(self.key))


def table(rows, columns):
    """Rows (objects) under titles. What rows have beyond the columns follows them."""
    known = {column.key for column in columns}
    for key in rows[0] if rows else ():
        if key not in known:
            columns = columns + [Column(key, least=12, goes=1)]
    columns = [column for column in columns if not rows or any(column.key in row for row in rows)]
    widths = fitted({c: max([len(c.name)] + [len(c.cell(row)) for row in rows]) for c in columns})
    yield line([paint(fit(c.name, widths[c], c.right), "title") for c in widths])
    for row in rows:
        yield line([paint(fit(c.cell(row), widths[c], c.right), c.style) for c in widths])


def fitted(wanted):
    """The columns that there is room for, with their widths: first some are cut, then some go."""
    limit = width()
    widths = dict(wanted)
    while limit and total(widths) > limit:
        excess = total(widths) - limit
        flexible = [c for c in widths if c.least and widths[c] > c.least]
        droppable = [c for c in widths if c.goes]
        if flexible:
            widest = max(flexible, key=widths.get)
            widths[widest] = max(widths[widest] - excess, widest.least)
        elif droppable:
            del widths[min(droppable, key=lambda c: c.goes)]
        else:
            break
    # A wide column that had to go may have left room for others that went before it.
    for column in sorted(wanted, key=lambda c: -c.goes):
        again = widths | {column: min(wanted[column], column.least or wanted[column])}
        if column not in widths and total(again) <= limit:
            widths = again
    return {c: widths[c] for c in wanted if c in widths}


def total(widths):
    return sum(widths.values()) + 2 * (len(widths) - 1)


def fit(cell, room, right=False):
    """A cell of exactly so many characters."""
    if len(cell) > room:
        cell = cell[: room - 2] + ".."
    return cell.rjust(room) if right else cell.ljust(room)


def line(cells):
    return "  ".join(cells)
