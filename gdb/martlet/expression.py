"""Owns what the user's words mean: GDB's expressions and places in the source, as addresses and counts."""

import re

import gdb

from . import output, target

LOCATION = re.compile(r"[^\s'\"]+:\d+")


def evaluate(text):
    try:
        value = gdb.parse_and_eval(text)
        value.fetch_lazy()
        return value
    except gdb.error as error:
        raise gdb.GdbError(target.explain(error)) from None


def integer(value, text):
    try:
        return int(value)
    except gdb.error:
        raise gdb.GdbError("'%s' is no number" % text) from None


def address(text):
    """The address that an expression (`$pc`, `main`, `&counter`, `*0x80000000`) or FILE:LINE means, as GDB's 'x' takes
    it: of functions, arrays and structures where they are, of numbers and pointers what they say."""
    text = text.strip()
    try:
        if LOCATION.fullmatch(text):
            return cut(gdb.decode_line(text)[1][0].pc)
        return value_address(gdb.parse_and_eval(text[1:] if text.startswith("*") else text))
    except gdb.error as error:
        raise gdb.GdbError(target.explain(error)) from None


def value_address(value):
    kind = value.type.strip_typedefs()
    if kind.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        value = value.referenced_value()
        kind = value.type.strip_typedefs()
    lies_in_memory = (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION)
    if kind.code in lies_in_memory and value.address is not None:
        value = value.address
    return cut(int(value))


def cut(number):
    """A number within the guest's addresses."""
    byte = gdb.selected_inferior().architecture().integer_type(8)
    return number & ((1 << 8 * byte.pointer().sizeof) - 1)


def place(text):
    """The same for the monitor: an address, or `#12` for a block."""
    return text if re.fullmatch(r"#\d+", text) else "%#x" % address(text)


def count(text, name="count"):
    number = integer(evaluate(text), text)
    if number < 1:
        raise gdb.GdbError("'%s' is no %s (1 or more)" % (text, name))
    return number


def symbol(number):
    """` <main+4>`; empty where GDB knows no symbol."""
    try:
        text = gdb.execute("info symbol %#x" % number, to_string=True)
    except gdb.error:
        return ""
    match = re.match(r"(\S.*?)(?: \+ (\d+))? in section ", text)
    if not match:
        return ""
    return " <%s%s>" % (match[1], "+" + match[2] if match[2] else "")


def code(number):
    """` <main+4> at main.c:12`, as far as GDB knows."""
    found = gdb.find_pc_line(number)
    if found.symtab is None or not found.line:
        return symbol(number)
    return "%s at %s:%d" % (symbol(number), output.paint(found.symtab.filename, "filename"), found.line)
