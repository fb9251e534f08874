"""Owns what all subcommands of 'martlet' share: errors of one line, and completion."""

import gdb

from . import target


class Subcommand(gdb.Command):
    """A subcommand; its class's docstring is GDB's help for it."""

    def __init__(self, name):
        self.name = "martlet " + name
        super().__init__(self.name, gdb.COMMAND_DATA)

    def run(self, text):
        """Carries the command out; `text` is what stands behind its name, without spaces around it."""
        raise NotImplementedError

    def words(self, before):
        """What may stand at the cursor, behind the words `before`; or one of GDB's completers."""
        return []

    def invoke(self, argument, from_tty):
        def body():
            target.require()
            self.run(argument.strip())

        guarded(self.name, body)

    def complete(self, text, word):
        before = text.split()
        if text and not text[-1].isspace():
            before = before[:-1]
        try:
            found = self.words(before)
        except gdb.GdbError:
            return []
        if isinstance(found, int):
            return found
        if word.islower():
            found = [name.lower() for name in found]
        return [name for name in found if name.startswith(word)]


def guarded(name, body):
    """Does `body`; whatever fails there is told in one line."""
    try:
        return body()
    except gdb.GdbError as error:
        raise gdb.GdbError("%s: %s" % (name, error)) from None
    except gdb.error as error:
        raise gdb.GdbError("%s: %s" % (name, target.explain(error))) from None
    except OSError as error:
        raise gdb.GdbError("%s: %s" % (name, error)) from None
    except Exception as error:  # an answer without what these commands look for in it
        raise gdb.GdbError(
            "%s: Martlet's answer has another form than these commands know (%s: %s); take both from one version"
            % (name, type(error).__name__, error)
        ) from None


def nothing_left(words):
    if words:
        raise gdb.GdbError("nothing goes behind it, but '%s' stands there" % " ".join(words))
