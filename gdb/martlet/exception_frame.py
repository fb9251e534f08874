"""Owns 'martlet exception-frame'."""

import gdb

from . import arm_exceptions, riscv_exceptions
from .command import Subcommand


class ExceptionFrame(Subcommand):
    """Decode the exception that is being handled: what was interrupted, its registers, reasons of faults in words.
martlet exception-frame [ADDRESS]   Arm: what the CPU stacked, found from the selected frame, or at ADDRESS ($psp)
martlet exception-frame [m|s]       RISC-V: the last trap to machine or supervisor mode (m, s), or to the present one"""

    def run(self, text):
        architecture = gdb.selected_frame().architecture().name()
        if architecture.startswith("arm"):
            arm_exceptions.show(text)
        elif architecture.startswith("riscv"):
            riscv_exceptions.show(text)
        else:
            raise gdb.GdbError("it knows Arm M-profile and RISC-V guests, not '%s'" % architecture)

    def words(self, before):
        if gdb.selected_frame().architecture().name().startswith("riscv"):
            return [] if before else ["m", "s"]
        return gdb.COMPLETE_EXPRESSION


ExceptionFrame("exception-frame")
