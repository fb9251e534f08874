"""Owns how Martlet is asked: lines of its monitor, whose answers are JSON."""

import json

import gdb

ATTACH = "'martlet [PORT]' attaches to a Martlet that was started with -s"


class Asking:
    """Whether a line is under way that changes nothing in the guest."""

    depth = 0

    def __enter__(self):
        Asking.depth += 1

    def __exit__(self, *_):
        Asking.depth -= 1


def explain(error):
    """One line of what GDB says of a failure."""
    text = str(error).strip()
    thread = gdb.selected_thread()
    if "while the target is running" in text or thread is not None and thread.is_running():
        return "the guest runs, and GDB cannot look at it: stop it first ('interrupt', or Ctrl-C)"
    if any(words in text for words in ("No frame is", "o registers", "is not being run", "program to be active")):
        return "there is no guest to look at: 'run' starts it"
    if "not supported by this target" in text or "does not support this command" in text:
        return "the target is no Martlet: it has no monitor. " + ATTACH
    return text.splitlines()[0] if text else "GDB gave no reason"


def require():
    """Fails unless something is connected that may be a Martlet."""
    connection = gdb.selected_inferior().connection
    if connection is None:
        raise gdb.GdbError("nothing is connected. " + ATTACH)
    if connection.type not in ("remote", "extended-remote"):
        raise gdb.GdbError("the target (%s) is no Martlet. %s" % (connection.type, ATTACH))


def tell(line):
    """The text that a line of the monitor shows."""
    require()
    try:
        return gdb.execute("monitor " + line, to_string=True)
    except gdb.error as error:
        raise gdb.GdbError(explain(error)) from None


def ask(line):
    """The answer to a line of the monitor that looks only."""
    with Asking():
        text = tell(line + " --json").lstrip()
    try:
        answer, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        raise gdb.GdbError("the target is no Martlet: its monitor does not answer in JSON. " + ATTACH) from None
    if isinstance(answer, dict) and set(answer) == {"error"}:
        raise gdb.GdbError(answer["error"])
    return answer


class SelectedHart:
    """While it is entered, commands of the monitor mean the hart that is GDB's thread, if harts are GDB's threads."""

    def __enter__(self):
        self.before = None
        thread = gdb.selected_thread()
        if thread is None or ask("threads")["threads"] != "CPUs":
            return
        chosen, hart = ask("info status")["hart"], thread.ptid[1] - 1
        if chosen != hart:
            ask("cpu %d" % hart)
            self.before = chosen

    def __exit__(self, *_):
        if self.before is not None:
            ask("cpu %d" % self.before)


def ask_hart(line):
    """The answer to a line that means the hart that is GDB's thread."""
    with SelectedHart():
        return ask(line)


def note_changes():
    """Makes GDB read registers again, which commands of the monitor may have changed."""
    if Asking.depth == 0:
        gdb.execute("maintenance flush register-cache", to_string=True)


gdb.execute(
    "define hookpost-monitor\npython __import__('martlet.target').target.note_changes()\nend", to_string=True
)
