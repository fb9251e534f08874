"""Owns what an Arm M-profile CPU stacks on exceptions, and its reasons of faults, in words.

Source: Armv7-M Architecture Reference Manual, B1.5.6 (exception entry), B1.5.8 (EXC_RETURN), B3.2 (CFSR, HFSR).
"""

import gdb

from . import expression, output

NAMES = {
    0: "Thread mode", 1: "Reset", 2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault",
    7: "SecureFault", 11: "SVCall", 12: "DebugMonitor", 14: "PendSV", 15: "SysTick",
}
FAULTS = range(3, 8)
# Callers among which an exception is looked for.
DEEPEST = 1000
BASIC = ("r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr")
CPUID, CFSR, HFSR, MMFAR, BFAR = 0xE000ED00, 0xE000ED28, 0xE000ED2C, 0xE000ED34, 0xE000ED38
FPCCR, FPCAR = 0xE000EF34, 0xE000EF38
CFSR_BITS = {
    0: "IACCVIOL: an instruction was fetched from where the MPU forbids it",
    1: "DACCVIOL: an access to data was not permitted",
    3: "MUNSTKERR: unstacking was not permitted",
    4: "MSTKERR: stacking was not permitted",
    5: "MLSPERR: storing floating-point state late was not permitted",
    7: "MMARVALID: MMFAR has the address",
    8: "IBUSERR: an instruction fetch failed on the bus",
    9: "PRECISERR: an access to data failed on the bus, at the stacked pc",
    10: "IMPRECISERR: a write failed on the bus, some time before",
    11: "UNSTKERR: unstacking failed on the bus",
    12: "STKERR: stacking failed on the bus",
    13: "LSPERR: storing floating-point state late failed on the bus",
    15: "BFARVALID: BFAR has the address",
    16: "UNDEFINSTR: an undefined instruction",
    17: "INVSTATE: an instruction in an invalid state (bit 0 of a jump's target was clear?)",
    18: "INVPC: an exception return with an invalid EXC_RETURN or stack",
    19: "NOCP: a coprocessor that is off or absent (the FPU? CPACR switches it on)",
    20: "STKOF: the stack went below its limit",
    24: "UNALIGNED: an unaligned access",
    25: "DIVBYZERO: a division by zero",
}
HFSR_BITS = {
    1: "VECTTBL: the vector could not be read",
    30: "FORCED: a fault whose own handler was off, or could not begin",
    31: "DEBUGEVT: a debug event without a debugger",
}


def name(number):
    known = NAMES.get(number, "reserved") if number < 16 else "IRQ %d" % (number - 16)
    return "%s (exception %d)" % (known, number)


def word(address):
    """A word of memory; none where none can be read."""
    try:
        return int.from_bytes(bytes(gdb.selected_inferior().read_memory(address, 4)), "little")
    except gdb.error:
        return None


def register(frame, name):
    try:
        return int(frame.read_register(name)) & 0xFFFFFFFF
    except ValueError:
        raise gdb.GdbError("the guest has no register '%s'; it is no Arm M-profile guest" % name) from None


def is_exception_return(value):
    return value >> 7 == 0x1FFFFFF and value & 0xF in (0x1, 0x9, 0xD)


def find(frame):
    """The exception that the frame, or one of its callers, handles: its number, EXC_RETURN, and where it is stacked."""
    for _ in range(DEEPEST):
        if frame is None:
            break
        pc = frame.pc() & 0xFFFFFFFF
        if frame.type() == gdb.SIGTRAMP_FRAME and is_exception_return(pc):
            newer = frame.newer()
            number = register(newer, "xpsr") & 0x1FF if newer is not None else 0
            return number, pc, register(frame, "psp" if pc & 4 else "sp")
        try:
            frame = frame.older()
        except gdb.error:
            break
    return None


def show(text):
    frame = gdb.selected_frame()
    number = register(gdb.newest_frame(), "xpsr") & 0x1FF
    if text:
        base, leaving = expression.address(text), None
        output.show("taken for a basic frame at %s" % output.paint("%#010x" % base, "address"))
    else:
        found = find(frame)
        if found is None and number == 0:
            raise gdb.GdbError(
                "the CPU handles no exception (it is in Thread mode); an address shows what is stacked there")
        if found is None:
            raise gdb.GdbError(
                "GDB finds no way from here to the frame of %s; give its address, such as $psp or $msp" % name(number))
        number, leaving, base = found
        output.show(summary(number, leaving, base))
    output.show(frame_lines(base, leaving))
    output.show(reasons(number))


def summary(number, leaving, base):
    mode = "Thread" if leaving & 8 else "Handler"
    stack = "process" if leaving & 4 else "main"
    kind = "basic" if leaving & 0x10 else "with floating point"
    yield "%s, to return to %s mode on the %s stack (EXC_RETURN %#x)" % (name(number), mode, stack, leaving)
    yield "frame at %s, %s" % (output.paint("%#010x" % base, "address"), kind)


def frame_lines(base, leaving):
    values = [word(base + 4 * index) for index in range(len(BASIC))]
    if None in values:
        raise gdb.GdbError("there is no memory to read a frame from at %#010x" % base)
    stacked = dict(zip(BASIC, values))
    size = 0x20
    yield from grid([(key, stacked[key]) for key in BASIC[:6]])
    yield "  pc    %s%s" % (output.paint("%#010x" % stacked["pc"], "address"), expression.code(stacked["pc"]))
    yield "  xpsr  %#010x  %s" % (stacked["xpsr"], status(stacked["xpsr"]))
    if leaving is not None and not leaving & 0x10:
        size = 0x68
        yield from floats(base)
    sp = base + size + (4 if stacked["xpsr"] & 1 << 9 else 0)
    yield "  sp    %s  before the exception" % output.paint("%#010x" % sp, "address")


def grid(pairs):
    cells = ["%-5s %#010x" % pair for pair in pairs]
    columns = max(1, min(3, ((output.width() or 120) - 2) // 19))
    for start in range(0, len(cells), columns):
        yield "  " + "   ".join(cells[start:start + columns])


def floats(base):
    is_lazy = (word(FPCCR) or 0) & 1
    if is_lazy and word(FPCAR) == base + 0x20:
        yield "  s0 to s15 and fpscr are not stored yet: the CPU still holds them"
        return
    values = [word(base + 0x20 + 4 * index) for index in range(17)]
    names = ["s%d" % index for index in range(16)] + ["fpscr"]
    yield from grid([(key, value) for key, value in zip(names, values) if value is not None])


def status(xpsr):
    flags = [flag for bit, flag in zip((31, 30, 29, 28, 27), "NZCVQ") if xpsr >> bit & 1]
    greater = xpsr >> 16 & 0xF
    if greater:
        flags.append("GE=%#x" % greater)
    if_then = (xpsr >> 10 & 0x3F) << 2 | xpsr >> 25 & 3
    if if_then:
        flags.append("IT/ICI=%#x" % if_then)
    if not xpsr >> 24 & 1:
        flags.append("not in Thumb state")
    number = xpsr & 0x1FF
    return " ".join(flags + ["in " + (name(number) if number else "Thread mode")])


def reasons(number):
    """The fault status registers in words, where a fault is handled or one has left its bits."""
    cpu = word(CPUID)
    if cpu is None or cpu >> 16 & 0xF != 0xF:
        if number in FAULTS:
            yield "this CPU keeps no reasons of faults (CFSR)"
        return
    for title, address, meanings in (("CFSR", CFSR, CFSR_BITS), ("HFSR", HFSR, HFSR_BITS)):
        value = word(address)
        if value is None or not value and number not in FAULTS:
            continue
        yield "  %-5s %#010x" % (title, value)
        for bit, meaning in meanings.items():
            if value >> bit & 1:
                yield from ("    " + part for part in output.wrap(meaning, (output.width() or 0) - 4))
        if title == "CFSR":
            for label, valid, register_address in (("MMFAR", 7, MMFAR), ("BFAR", 15, BFAR)):
                if value >> valid & 1 and (fault := word(register_address)) is not None:
                    yield "    %s %s%s" % (label, output.paint("%#010x" % fault, "address"), expression.symbol(fault))
