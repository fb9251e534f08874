"""Owns 'martlet devices'."""

from . import output, target
from .command import Subcommand, nothing_left


class Devices(Subcommand):
    """List the board's devices: names for 'martlet registers', addresses, interrupt lines, models.
martlet devices"""

    def run(self, text):
        nothing_left(text.split())
        names = {int(part["base"], 16): part for part in peripherals()}
        wires = target.ask("info irq").get("wires", [])
        rows = []
        for path, device in target.ask("info qtree").items():
            regions = [value for key, value in device.items() if key.startswith("region") and isinstance(value, str)]
            parts = [names.pop(base) for base in sorted(names) if any(base in span(region) for region in regions)]
            lines = [wire["line"] + (" (high)" if wire["level"] == "high" else "")
                     for wire in wires if wire["from"] == path]
            rows.append({
                "name": ", ".join(part["name"] for part in parts) or path.rsplit("/", 1)[-1],
                "addresses": ", ".join(regions) or None,
                "interrupts": ", ".join(lines) or None,
                "model": device["model"],
                "compatible": device["compatible"],
            })
        for base, part in names.items():
            rows.append({"name": part["name"], "addresses": hex(base), "interrupts": None, "model": part["model"],
                         "compatible": part["summary"]})
        output.show(output.table(rows, COLUMNS))


def peripherals():
    """What has registers with names, as `svd` lists it."""
    return target.ask("svd")


def span(region):
    """The addresses of `0x40004000-0x40004fff`."""
    first, last = region.split("-")
    return range(int(first, 16), int(last, 16) + 1)


COLUMNS = [
    output.Column("name", style="variable"),
    output.Column("addresses", style="address", least=21),
    output.Column("interrupts", least=12, goes=3),
    output.Column("model", goes=4),
    output.Column("compatible", least=12, goes=2),
]

Devices("devices")
