"""What the tests of I/O share: running programs with the weft binary, and a small reporter."""
import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import traceback

parser = argparse.ArgumentParser()
parser.add_argument("--weft", required=True)
parser.add_argument("--option", action="append", default=[], help="passed to weft: --option=--slice=1")
parser.add_argument("names", nargs="*")
arguments = parser.parse_args()

HEADER = """USING: accessors arrays byte-arrays classes combinators continuations destructors fry io
io.encodings.binary io.encodings.utf8 io.files io.launcher io.proxy io.sockets io.servers
io.timeouts kernel locals math math.order math.parser namespaces prettyprint sequences splitting
strings threads threads.inspect threads.join weft.errors ;
FROM: namespaces => set ;
FROM: io.sockets => send receive accept ;
IN: scratchpad
"""

TIMEOUT = 120


class Program:
    """A program that runs: its text after a header with the usual vocabularies."""

    def __init__(self, text, *, env=None, prefix=(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE, pass_fds=(), options=()):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".weft", delete=False)
        self.file.write(HEADER + text)
        self.file.close()
        command = [*prefix, arguments.weft, *arguments.option, *options, self.file.name]
        self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr,
                                        env=env, pass_fds=pass_fds)

    def line(self):
        """The next line of its output, without the newline."""
        return self.process.stdout.readline().decode().rstrip("\n")

    def write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def finish(self, status=0):
        """Its remaining output, after it ended with that status."""
        try:
            out, err = self.process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"it did not end; output {out!r}, errors {err!r}")
        finally:
            os.unlink(self.file.name)
        assert self.process.returncode == status, (self.process.returncode, out, err)
        self.errors = (err or b"").decode(errors="replace")
        return (out or b"").decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.file.name)


def run(text, status=0, **options):
    with Program(text, **options) as program:
        return program.finish(status)


def main(tests):
    """Runs the named functions, or all, and exits with 1 if one failed."""
    failed = 0
    for test in tests:
        if arguments.names and test.__name__ not in arguments.names:
            continue
        try:
            test()
            print("ok     ", test.__name__, flush=True)
        except Exception:
            failed += 1
            print("FAILED ", test.__name__, flush=True)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
