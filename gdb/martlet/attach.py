"""Owns 'martlet', the prefix, which alone attaches."""

import gdb

from . import expression
from .command import guarded


class Martlet(gdb.Command):
    """Attach to a Martlet, or look into one.
martlet [PORT]: attach to a Martlet that was started with -s (port 1234), or with -gdb tcp::PORT.
It stops the guest; 'detach' lets it run on, 'run' resets it. 'monitor help' lists the monitor's commands.
With a word of the list below: look at what Martlet is attached."""

    def __init__(self):
        super().__init__("martlet", gdb.COMMAND_RUNNING, prefix=True)

    def invoke(self, argument, from_tty):
        guarded("martlet", lambda: self.attach(argument.strip()))

    @staticmethod
    def attach(text):
        if text and not (text.isdigit() or text.startswith("$")):
            raise gdb.GdbError("'%s' is neither a port nor a command; 'help martlet' lists them" % text.split()[0])
        port = expression.count(text, "port") if text else 1234
        if port > 65535:
            raise gdb.GdbError("%d is no port (1 to 65535)" % port)
        gdb.execute("target extended-remote localhost:%d" % port)


Martlet()
