"""Owns the functions for GDB's expressions: $_device_register, $_martlet_block."""

import gdb

from . import expression, target
from .command import guarded

# Bits of values; of narrower ones GDB would show characters.
WIDTHS = (32, 64)


class DeviceRegister(gdb.Function):
    """The value of a register of a device, or of one of its fields, read without side effects.
$_device_register("DEVICE.REGISTER") or $_device_register("DEVICE.REGISTER.FIELD"), such as "uart0.CTRL.TXEN".
'martlet registers DEVICE' lists them."""

    def __init__(self):
        super().__init__("_device_register")

    def invoke(self, *names):
        return guarded("$_device_register", lambda: self.value(names))

    def value(self, names):
        if len(names) != 1 or names[0].type.strip_typedefs().code not in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_PTR):
            raise gdb.GdbError('it takes one string, such as "uart0.CTRL"')
        name = names[0].string()
        parts = name.split(".")
        if len(parts) < 2 or not all(parts) or any(mark in name for mark in " \"'"):
            raise gdb.GdbError("'%s' is not of the form DEVICE.REGISTER or DEVICE.REGISTER.FIELD" % name)
        try:
            item = target.ask("svd " + name)
        except gdb.GdbError:
            if len(parts) < 3:
                raise
            item = self.field(target.ask("svd " + ".".join(parts[:-1])), parts[-1])
        if item["value"] is None:
            raise gdb.GdbError("%s: %s" % (name, item["silence"]))
        number = int(item["value"], 16)
        bits = next((bits for bits in WIDTHS if bits >= 4 * (len(item["value"]) - 2)), None)
        if bits is None:
            raise gdb.GdbError("%s is wider than 64 bits" % name)
        return gdb.Value(number).cast(gdb.selected_inferior().architecture().integer_type(bits, False))

    @staticmethod
    def field(register, name):
        for field in register["fields"]:
            if field["name"].lower() == name.lower():
                return dict(field, silence=register["silence"])
        names = ", ".join(field["name"] for field in register["fields"]) or "none"
        raise gdb.GdbError("%s has no field '%s'; it has: %s" % (register["name"], name, names))


class MartletBlock(gdb.Function):
    """The number of the translation block that an instruction is in; 0 where nothing is translated.
$_martlet_block([ADDRESS]), at $pc if no address is given. 'martlet block #NUMBER' shows it."""

    def __init__(self):
        super().__init__("_martlet_block")

    def invoke(self, *places):
        return guarded("$_martlet_block", lambda: self.number(places))

    @staticmethod
    def number(places):
        if len(places) > 1:
            raise gdb.GdbError("it takes one address, or none for $pc")
        target.require()
        place = expression.value_address(places[0]) if places else expression.address("$pc")
        target.ask("info status")
        try:
            blocks = target.ask("block %#x" % place)
        except gdb.GdbError:
            return 0
        return next(iter(blocks.values()))["block"]


DeviceRegister()
MartletBlock()
