# Gives GDB, which knows no Swift, the names of a Swift program: functions, variables and types as in the source.
#
#   (gdb) source gdb/swift.py
#   (gdb) swift-symbols            names of the program that GDB has already loaded
#   (gdb) swift-symbols FILE.elf   the same of a file
#   (gdb) break Firmware::TrafficLight::tick
#   (gdb) print Firmware::light
#
# GDB (13 and later) takes the mangled linkage name of a declaration where it does not know the language. A copy of the
# program's debug information says C++ where it said Swift, and namespace where it said module, and hides the linkage
# names: then GDB puts names together from modules, types and declarations. Swift's empty tuple becomes C's void, so that
# GDB looks for no result where there is none. Two things that swiftc 6.3 writes wrongly are put right on the way: it gives
# every case of an enumeration the value 0, and packs a structure's members.
# Without GDB: python3 gdb/swift.py FILE.elf COPY.elf
#
# Source: DWARF Debugging Information Format, version 5, sections 7.5 (abbreviations, forms) and 7.12 (languages).

import struct

SWIFT, CXX14 = 0x1E, 0x21
LANGUAGE, LINKAGE_NAME, DESCRIPTION = 0x13, 0x6E, 0x5A
BYTE_SIZE, CONST_VALUE, MEMBER_LOCATION, TYPE = 0x0B, 0x1C, 0x38, 0x49
NAME, MODULE, NAMESPACE, UNSPECIFIED = 0x03, 0x1E, 0x39, 0x3B
# The empty tuple, as Swift and Embedded Swift mangle it.
EMPTY_TUPLES = (b"$sytD", b"$eytD")
MEMBER, STRUCTURE, BASE, ENUMERATION, ENUMERATOR = 0x0D, 0x13, 0x24, 0x04, 0x28
# Where clang modules' debug information would be, which is of no use here: made attributes that nobody knows.
MODULE_LINKS = {0x2130: 0x3FFD, 0x2131: 0x3FFE}
# Bytes of the forms of fixed size; 4 stands for an offset too.
FORM_SIZES = {
    0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x0E: 4, 0x10: 4, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x17: 4,
    0x19: 0, 0x1E: 16, 0x1F: 4, 0x20: 8, 0x21: 0, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4,
}
NUMBERS = (0x0D, 0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23)
BLOCKS = {0x03: "H", 0x04: "I", 0x0A: "B"}


class NotSwift(Exception):
    """A file of which no copy is made, and why."""


class Reader:
    """A position in bytes that are read as DWARF's numbers."""

    def __init__(self, data, order, position):
        self.data, self.order, self.position = data, order, position

    def fixed(self, code):
        (value,) = struct.unpack_from(self.order + code, self.data, self.position)
        self.position += struct.calcsize(code)
        return value

    def uleb(self):
        value = shift = 0
        while True:
            byte = self.data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def skip(self, form, address_size):
        """Passes an attribute of a form."""
        if form == 0x01:
            self.position += address_size
        elif form in FORM_SIZES:
            self.position += FORM_SIZES[form]
        elif form in NUMBERS:
            self.uleb()
        elif form == 0x08:
            self.position = self.data.index(0, self.position) + 1
        elif form in BLOCKS:
            self.position += self.fixed(BLOCKS[form])
        elif form in (0x09, 0x18):
            self.position += self.uleb()
        else:
            raise NotSwift("its debug information has the unknown form %#x" % form)


def sections(data):
    """The byte order, and by each section's name its offset, its size, and where the name and the header stand."""
    if data[:4] != b"\x7fELF":
        raise NotSwift("it is no ELF file")
    order = "<" if data[5] == 1 else ">"
    wide = data[4] == 2
    table = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
    size, count, names = struct.unpack_from(order + "HHH", data, 58 if wide else 46)
    layout = order + ("IIQQQQIIQQ" if wide else "10I")
    rows = [struct.unpack_from(layout, data, table + size * index) for index in range(count)]
    if names >= count:
        raise NotSwift("its sections have no names")
    found = {}
    for index, row in enumerate(rows):
        start = rows[names][4] + row[0]
        name = bytes(data[start:data.index(0, start)]).decode("latin-1")
        if name.startswith(".debug") and row[2] & 0x800:
            raise NotSwift("its debug information is compressed")
        found[name] = (row[4], row[5], start, table + size * index)
    return order, found


def abbreviations(data, order, start, end):
    """The abbreviations from `start` to their end: by code, where the tag stands, each attribute's place, number and
    form, and where it ends. Then where the next table begins."""
    reader = Reader(data, order, start)
    rows = {}
    while reader.position < end:
        code = reader.uleb()
        if code == 0:
            break
        tag = reader.position
        reader.uleb()
        reader.position += 1
        row = []
        while True:
            place = reader.position
            attribute, form = reader.uleb(), reader.uleb()
            if form == 0x21:
                reader.uleb()
            if attribute == 0 and form == 0:
                break
            row.append((place, attribute, form))
        rows[code] = (tag, row, reader.position)
    return rows, reader.position


class Unit:
    """A compilation unit: what its entries say about types, and where."""

    def __init__(self, data, order, start, abbreviation_section):
        self.data, self.order, self.start = data, order, start
        reader = Reader(data, order, start)
        length, version = reader.fixed("I"), reader.fixed("H")
        if length >= 0xFFFFFFF0 or not 2 <= version <= 5:
            raise NotSwift("its debug information is of a version other than 2 to 5, or of 64 bits")
        self.end = start + length + 4
        if version == 5:
            reader.position += 1
            self.address_size = reader.fixed("B")
            self.table_place = reader.position
            table = reader.fixed("I")
        else:
            self.table_place = reader.position
            table = reader.fixed("I")
            self.address_size = reader.fixed("B")
        self.first = reader.position
        begin, size = abbreviation_section[:2]
        self.table = begin + table
        self.rows, self.table_end = abbreviations(data, order, self.table, begin + size)

    def entries(self):
        """Every entry in order: its offset in the unit, tag, and attributes as number: (place, form)."""
        reader = Reader(self.data, self.order, self.first)
        while reader.position < self.end:
            offset = reader.position - self.start
            code = reader.uleb()
            if code == 0:
                continue
            tag, row, _ = self.rows[code]
            attributes = {}
            for _, attribute, form in row:
                attributes[attribute] = (reader.position, form)
                reader.skip(form, self.address_size)
            yield offset, Reader(self.data, self.order, tag).uleb(), attributes

    def value(self, attribute):
        """A small number: of a byte, or a variable length."""
        place, form = attribute
        reader = Reader(self.data, self.order, place)
        return reader.fixed({0x0B: "B", 0x05: "H", 0x13: "I"}[form]) if form in (0x0B, 0x05, 0x13) else reader.uleb()

    def set(self, attribute, value):
        """Replaces a number, where the new one has as many bytes. Returns whether it has."""
        place, form = attribute
        if form not in (0x0B, 0x0F, 0x0D) or value > 0x3F or self.data[place] > 0x7F:
            return False
        self.data[place] = value
        return True

    def repair(self):
        """Numbers the cases of enumerations, and aligns the members of structures."""
        case = 0
        sizes, members, order, current = {}, {}, [], None
        for offset, tag, attributes in self.entries():
            if tag == ENUMERATION:
                case = 0
            elif tag == ENUMERATOR and CONST_VALUE in attributes:
                if self.value(attributes[CONST_VALUE]) == 0:
                    self.set(attributes[CONST_VALUE], case)
                case += 1
            elif tag == STRUCTURE:
                current = members[offset] = []
                order.append(offset)
            elif tag == MEMBER and current is not None and {MEMBER_LOCATION, TYPE} <= attributes.keys():
                current.append((attributes[MEMBER_LOCATION], self.value(attributes[TYPE])))
            if tag in (ENUMERATION, STRUCTURE, BASE) and BYTE_SIZE in attributes:
                sizes[offset] = self.value(attributes[BYTE_SIZE])
        for offset in order:
            self.align(members[offset], sizes, members)

    def alignment(self, kind, sizes, members, depth=0):
        inner = [self.alignment(member, sizes, members, depth + 1) for _, member in members.get(kind, [])]
        if depth > 16:
            return 1
        if inner:
            return max(inner)
        size = sizes.get(kind, self.address_size)
        return size if size in (1, 2, 4, 8, 16) else 1

    def align(self, members, sizes, table):
        """Moves members to where Swift has them, if they lie packed."""
        packed = aligned = 0
        places = []
        for location, kind in members:
            if self.value(location) != packed or kind not in sizes:
                return
            unit = self.alignment(kind, sizes, table)
            aligned = (aligned + unit - 1) // unit * unit
            places.append((location, aligned))
            packed += sizes[kind]
            aligned += sizes[kind]
        for location, place in places:
            self.set(location, place)


    def make_void(self, strings):
        """Gives the entry of the empty tuple the tag of a type that has no values. Returns the table of abbreviations
        that the unit needs for it; none if it has no such entry."""
        code = max(self.rows, default=0) + 1
        for offset, tag, attributes in self.entries():
            place, form = attributes.get(NAME, (0, 0))
            if tag != STRUCTURE or form != 0x0E:
                continue
            name = strings + struct.unpack_from(self.order + "I", self.data, place)[0]
            old = self.data[self.start + offset]
            if bytes(self.data[name:self.data.index(0, name)]) in EMPTY_TUPLES and old < code <= 0x7F:
                self.data[self.start + offset] = code
                tag, _, end = self.rows[old]
                added = bytes([code, UNSPECIFIED]) + self.data[tag + 1:end]
                return self.data[self.table:self.table_end - 1] + added + b"\0"
        return None


def rename(original):
    """A copy of an ELF file in which GDB finds Swift's names."""
    data = bytearray(original)
    try:
        order, found = sections(data)
        if ".debug_info" not in found or ".debug_abbrev" not in found:
            raise NotSwift("it has no debug information; compile with -g")
        info, info_size = found[".debug_info"][:2]
        units = []
        position = info
        while position < info + info_size:
            unit = Unit(data, order, position, found[".debug_abbrev"])
            position = unit.end
            language = next(unit.entries(), (0, 0, {}))[2].get(LANGUAGE)
            if language is None or language[1] != 0x05:
                continue
            if struct.unpack_from(order + "H", data, language[0])[0] == SWIFT:
                struct.pack_into(order + "H", data, language[0], CXX14)
                unit.repair()
                units.append(unit)
        if not units:
            raise NotSwift("nothing in it was compiled by swiftc")
        hide_names(data, order, found[".debug_abbrev"])
        if ".debug_str" in found:
            make_voids(data, order, units, found)
    except (IndexError, KeyError, ValueError, RecursionError, struct.error):
        raise NotSwift("its sections or debug information are damaged") from None
    # Indices that LLVM writes and GDB takes for its own: GDB builds a better one.
    for name in (".debug_names", ".debug_aranges"):
        if name in found:
            data[found[name][2] + 1] = ord("x")
    return bytes(data)


def hide_names(data, order, section):
    position, size = section[:2]
    end = position + size
    while position < end:
        rows, position = abbreviations(data, order, position, end)
        for tag, row, _ in rows.values():
            if data[tag] == MODULE:
                data[tag] = NAMESPACE
            for place, attribute, _ in row:
                if attribute == LINKAGE_NAME:
                    data[place] = DESCRIPTION
                elif attribute in MODULE_LINKS:
                    other = MODULE_LINKS[attribute]
                    data[place:place + 2] = bytes([other & 0x7F | 0x80, other >> 7])


def make_voids(data, order, units, found):
    """Makes void of the units' empty tuples. The abbreviations, to which some are added, go to the end of the file."""
    start, size, _, header = found[".debug_abbrev"]
    section = data[start:start + size]
    for unit in units:
        table = unit.make_void(found[".debug_str"][0])
        if table:
            struct.pack_into(order + "I", data, unit.table_place, len(section))
            section += table
    place, code = (header + 24, "Q") if data[4] == 2 else (header + 16, "I")
    struct.pack_into(order + code * 2, data, place, len(data), len(section))
    data += section


def define_commands():
    import atexit
    import os
    import tempfile

    class SwiftSymbols(gdb.Command):
        """Names of a Swift program as in its source: swift-symbols [FILE]"""

        def __init__(self):
            super().__init__("swift-symbols", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

        def invoke(self, argument, from_terminal):
            words = gdb.string_to_argv(argument)
            path = words[0] if words else gdb.current_progspace().filename
            if not path:
                raise gdb.GdbError("swift-symbols: no program is loaded; give a file")
            try:
                with open(path, "rb") as file:
                    copy = rename(file.read())
            except (OSError, NotSwift) as error:
                raise gdb.GdbError("swift-symbols: %s: %s" % (path, error))
            with tempfile.NamedTemporaryFile(suffix=".elf", delete=False) as file:
                file.write(copy)
            atexit.register(os.unlink, file.name)
            if words:
                gdb.execute("exec-file " + path, to_string=True)
            gdb.execute("symbol-file " + file.name, to_string=True)

    SwiftSymbols()

    class Wrapped:
        """A number or a truth value, without the structure that Swift's library puts around it."""

        def __init__(self, value):
            self.value = value

        def to_string(self):
            number = int(self.value["_value"])
            if self.value.type.name == "Swift::Bool":
                return "true" if number & 1 else "false"
            return str(number)

    def printer(value):
        names = {"Swift::" + prefix + "Int" + size for prefix in ("", "U") for size in ("", "8", "16", "32", "64")}
        return Wrapped(value) if value.type.name in names | {"Swift::Bool"} else None

    gdb.pretty_printers.append(printer)


if __name__ == "__main__":
    try:
        import gdb

        define_commands()
    except ImportError:
        import sys

        if len(sys.argv) != 3:
            sys.exit("usage: swift.py FILE.elf COPY.elf")
        try:
            with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as target:
                target.write(rename(source.read()))
        except (OSError, NotSwift) as error:
            sys.exit("swift.py: %s: %s" % (sys.argv[1], error))
