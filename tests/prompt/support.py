"""A Weft at a pseudo-terminal, and the tests that drive it.

Tests wait for what the screen shows, never for a time to pass; the limit only says when to give up.
"""
import argparse
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

from screen import Screen

LIMIT = 60  # seconds until a test gives up
PROMPT = "IN: scratchpad> "

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, DELETE, SHIFT_TAB = "\x1b[H", "\x1b[F", "\x1b[3~", "\x1b[Z"
WORD_LEFT, WORD_RIGHT = "\x1b[1;5D", "\x1b[1;5C"
ENTER, TAB, ESCAPE, BACKSPACE = "\r", "\t", "\x1b", "\x7f"


def ctrl(letter):
    return chr(ord(letter.upper()) & 0x1F)


def alt(letter):
    return "\x1b" + letter


def paste(text):
    return "\x1b[200~" + text + "\x1b[201~"


class Terminal:
    """A program at a terminal of its own, with a home folder that is empty."""

    weft = None
    options = []

    def __init__(self, *arguments, rows=24, columns=80, home=None, start=True, command=None, **environment):
        self.home = home or tempfile.mkdtemp(prefix="weft-prompt-")
        self.owns_home = home is None
        self.screen = Screen(rows, columns)
        self.raw = b""
        self.master, slave = pty.openpty()
        self._set_size(rows, columns)
        settings = {key: value for key, value in os.environ.items()
                    if key not in ("NO_COLOR", "VTE_VERSION", "TMUX", "TERM_PROGRAM", "EDITOR", "VISUAL",
                                   "LINES", "COLUMNS", "XDG_STATE_HOME", "WEFT_COLOR")}
        settings.update(TERM="xterm-256color", HOME=self.home,
                        XDG_STATE_HOME=os.path.join(self.home, "state"))
        settings.update(environment)
        settings = {key: value for key, value in settings.items() if value is not None}
        line = command or [self.weft, *self.options, *arguments]
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            line, stdin=slave, stdout=slave, stderr=slave, env=settings, cwd=self.home,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave
        if start:
            self.wait_for_prompt()

    # --- from the program

    def pump(self, seconds):
        """Takes what came; false if nothing did."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self.screen.feed(data)
        return bool(data)

    def wait(self, condition, what="what was expected"):
        deadline = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > deadline or (self.process.poll() is not None and not self.pump(0.2)
                                               and not condition()):
                raise AssertionError("never saw %s\n--- screen\n%s\n--- raw\n%r" % (
                    what, self.screen.text(), self.raw[-1500:]))
            self.pump(0.1)

    def wait_for(self, text):
        """Until the screen shows it."""
        self.wait(lambda: text in self.screen.text(), repr(text))

    def wait_for_gone(self, text):
        self.wait(lambda: text not in self.screen.text(), repr(text) + " go")

    def wait_for_prompt(self, prompt=PROMPT):
        self.wait(lambda: self.screen.before_cursor() == prompt, "an empty prompt")

    def wait_for_line(self, text, column=None):
        """Until the cursor's line is this (after the prompt) and the cursor is there: at its end, if not told."""
        def there():
            screen = self.screen
            at = len(PROMPT) + (len(text) if column is None else column)
            return screen.cursor_line() == (PROMPT + text).rstrip() and screen.column == at
        self.wait(there, "the line %r" % text)

    # --- to the program

    def send(self, text):
        data = text.encode() if isinstance(text, str) else text
        while data:
            self.pump(0)
            _, writable, _ = select.select([], [self.master], [], 0.1)
            if writable:
                data = data[os.write(self.master, data[:512]):]

    def run(self, text, expect=None):
        """Sends it; until there is another prompt, with the expected text somewhere before it."""
        prompts = self.raw.count(b"\x1b[?2004h")
        self.send(text)
        if expect is not None:
            self.wait(lambda: expect in self.screen.everything(), repr(expect))
        self.wait(lambda: self.raw.count(b"\x1b[?2004h") > prompts and
                  self.screen.before_cursor() == PROMPT, "the prompt again")

    def enter(self, text, expect=None):
        """A line."""
        self.run(text + ENTER, expect)

    def _set_size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self._set_size(rows, columns)

    def signal(self, number):
        self.process.send_signal(number)

    def mode(self):
        return termios.tcgetattr(self.slave)

    def is_raw(self):
        return not self.mode()[3] & termios.ICANON

    def leave(self, status=0):
        """Ctrl-D at an empty prompt, and what the program says with its status."""
        self.send(ctrl("d"))
        self.wait_for_end(status)

    def wait_for_end(self, status=0):
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError("does not end\n" + self.screen.text())
            self.pump(0.05)
        while self.pump(0.05):
            pass
        assert self.process.returncode == status, (self.process.returncode, self.screen.text())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
        if self.owns_home:
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def history_file(home):
    return os.path.join(home, "state", "weft", "history")


def run(arguments, text=None, **environment):
    """A Weft without a terminal: status, output, errors."""
    settings = dict(os.environ, **environment)
    done = subprocess.run([Terminal.weft, *arguments], input=text, capture_output=True, text=True,
                          timeout=LIMIT, env=settings)
    return done.returncode, done.stdout, done.stderr


def main(cases):
    """Runs the functions named test_*: all, or the one asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    parser.add_argument("--case")
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    Terminal.weft = os.path.abspath(arguments.weft)
    Terminal.options = arguments.option
    tests = {name[len("test_"):]: test for name, test in cases.items() if name.startswith("test_")}
    if arguments.list:
        print("\n".join(tests))
        return
    failed = 0
    for name, test in tests.items():
        if arguments.case in (None, name):
            try:
                test()
                print("ok", name)
            except Exception as error:  # noqa: each test is reported
                failed += 1
                import traceback
                traceback.print_exc()
                print("FAILED", name)
    sys.exit(1 if failed else 0)
