"""Owns 'martlet registers': a device's registers with their fields, read without side effects."""

import re

import gdb

from . import output, target
from .command import Subcommand, nothing_left
from .devices import peripherals


class Registers(Subcommand):
    """Show the registers of a device and what their fields hold, read without side effects.
martlet registers DEVICE             all of them, with the fields that are not zero
martlet registers DEVICE REGISTER    one, with all its fields; DEVICE.REGISTER means the same
'martlet devices' lists the devices. In expressions: $_device_register("DEVICE.REGISTER")."""

    def run(self, text):
        words = text.replace(".", " ", 1).split()
        nothing_left(words[2:])
        if not words:
            raise gdb.GdbError("of which device? " + ", ".join(part["name"] for part in peripherals()))
        try:
            answer = target.ask("svd " + quoted(".".join(words)))
        except gdb.GdbError:
            if "@" not in words[0]:
                raise
            return output.show(unnamed(quoted(words[0])))
        output.show(one(words[0], answer) if len(words) == 2 else whole(answer))

    def words(self, before):
        if not before:
            return [part["name"] for part in peripherals()]
        if len(before) > 1:
            return []
        return [register["name"] for register in target.ask("svd " + quoted(before[0]))["registers"]]


def quoted(name):
    if re.search(r"[\s\"']", name):
        raise gdb.GdbError("no device or register is called %s" % name)
    return name


def whole(device):
    summary = ": " + device["summary"] if device["summary"] else ""
    yield output.paint(device["name"], "variable") + " at " + output.paint(device["base"], "address") + summary
    rows = []
    for register in device["registers"]:
        row = dict(register, fields=register["silence"] or " ".join(map(set_field, set_fields(register))))
        del row["silence"]
        if not (rows and joined(rows[-1], row)):
            rows.append(row)
    room = max([len(row["name"]) for row in rows] + [8])
    for row in rows:
        value = row["value"] or ""
        first = "  %s  %-6s  %s  " % (output.paint(row["name"].ljust(room), "variable"), "+" + row["offset"][2:],
                                      value.ljust(10))
        indent = 2 + room + 2 + 6 + 2 + max(len(value), 10) + 2
        for number, part in enumerate(output.wrap(row["fields"], (output.width() or 0) - indent)):
            yield (first if number == 0 else " " * indent) + part


def unnamed(device):
    """What a device shows of itself that has no registers with names."""
    for path, values in target.ask("info device " + device).items():
        yield output.paint(path, "variable")
        yield from output.fields(values, skip=("registers",))
        yield from output.fields(values["registers"])


def set_fields(register):
    return [field for field in register["fields"] if field["value"] and int(field["value"], 16)]


def set_field(field):
    """`TXEN`, `MODE=0x2`, or what the value means: `MODE=OUTPUT`."""
    if ":" not in field["bits"] and not field["meaning"]:
        return field["name"]
    return "%s=%s" % (field["name"], field["meaning"] or field["value"])


def joined(last, row):
    """Takes element N of an array into the row of those before it, if all hold the same and have no fields to show.
    Returns whether it has."""
    old, new = (re.fullmatch(r"(.*)\[(?:\d+-)?(\d+)\]", name) for name in (last["name"], row["name"]))
    if not old or not new or old[1] != new[1] or int(new[2]) != int(old[2]) + 1:
        return False
    if last["value"] != row["value"] or last["fields"] != row["fields"]:
        return False
    first = last["name"][len(old[1]) + 1:-1].split("-")[0]
    last["name"] = "%s[%s-%s]" % (old[1], first, new[2])
    return True


def one(device, register):
    """A register with all its fields."""
    value = register["value"] or "(%s)" % register["silence"]
    yield "%s at offset %s: %s" % (
        output.paint(device.upper() + "." + register["name"], "variable"), register["offset"], value)
    fields = register["fields"]
    room = max([len(field["name"]) for field in fields] + [1])
    for field in fields:
        yield "  %-7s  %s  %s  %s" % (
            "[%s]" % field["bits"], output.paint(field["name"].ljust(room), "variable"), field["value"] or "",
            field["meaning"] or "")


Registers("registers")
