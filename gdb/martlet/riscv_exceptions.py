"""Owns what a RISC-V hart keeps of its last trap, in words.

Source: The RISC-V Instruction Set Manual, Volume II, tables of mcause and scause, "Machine Status Registers".
"""

import gdb

from . import expression, output

INTERRUPTS = {
    1: "supervisor software interrupt", 3: "machine software interrupt", 5: "supervisor timer interrupt",
    7: "machine timer interrupt", 9: "supervisor external interrupt", 11: "machine external interrupt",
    13: "counter overflow interrupt",
}
EXCEPTIONS = {
    0: "instruction address misaligned", 1: "instruction access fault", 2: "illegal instruction", 3: "breakpoint",
    4: "load address misaligned", 5: "load access fault", 6: "store or AMO address misaligned",
    7: "store or AMO access fault", 8: "environment call from U-mode", 9: "environment call from S-mode",
    11: "environment call from M-mode", 12: "instruction page fault", 13: "load page fault",
    15: "store or AMO page fault", 18: "software check", 19: "hardware error",
}
MODES = {0: "U", 1: "S", 3: "M"}


def register(name):
    """A register's value without its sign, and its width in bits; none if the hart has no such register."""
    value = gdb.parse_and_eval("$" + name)
    if value.type.code == gdb.TYPE_CODE_VOID:
        raise gdb.GdbError("GDB knows no register '%s' of this hart" % name)
    bits = 8 * value.type.sizeof
    return int(value) & ((1 << bits) - 1), bits


def show(text):
    present, _ = register("priv")
    mode = text.lower() or {1: "s", 3: "m"}.get(present)
    if mode not in ("m", "s"):
        raise gdb.GdbError("the hart is in U-mode: 'm' or 's' says whose trap is meant" if not text else
                           "'%s' is neither m (machine mode's trap) nor s (supervisor mode's)" % text)
    cause, bits = register(mode + "cause")
    came_from, _ = register(mode + "epc")
    value, _ = register(mode + "tval")
    status, _ = register(mode + "status")
    digits = "%%#0%dx" % (2 + bits // 4)
    if not cause and not came_from and not value:
        output.show("%s-mode has taken no trap: its registers are as after reset" % mode.upper())
        return
    is_interrupt = cause >> (bits - 1) & 1
    code = cause & ((1 << (bits - 1)) - 1)
    kind, names = ("interrupt", INTERRUPTS) if is_interrupt else ("exception", EXCEPTIONS)
    known = names.get(code, "%s %d" % (kind, code))
    output.show([
        "%s, taken to %s-mode" % (known, mode.upper()),
        "  %-8s %s  %s %d" % (mode + "cause", digits % cause, kind, code),
        "  %-8s %s%s" % (mode + "epc", output.paint(digits % came_from, "address"), expression.code(came_from)),
        "  %-8s %s  %s" % (mode + "tval", digits % value, "" if is_interrupt else meaning(code, value)),
        "  %-8s %s  %s" % (mode + "status", digits % status, previous(mode, status, present)),
    ])


def previous(mode, status, present):
    """Where a return leads, as long as the hart has not returned."""
    if present < {"m": 3, "s": 1}[mode]:
        return "it has returned: the hart is in %s-mode" % MODES.get(present, "another ")
    before = status >> 11 & 3 if mode == "m" else status >> 8 & 1
    enabled = status >> (7 if mode == "m" else 5) & 1
    return "%sret leads to %s-mode, with interrupts %s" % (
        mode, MODES.get(before, "a reserved "), "on" if enabled else "off")


def meaning(code, value):
    """What the trap's value tells with an exception."""
    if code == 2:
        return "the instruction" if value else "no instruction is told"
    if code in (0, 1, 4, 5, 6, 7, 12, 13, 15):
        return "the address" + expression.symbol(value)
    return "the address" + expression.symbol(value) if code == 3 and value else ""
