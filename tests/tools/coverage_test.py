"""tools/coverage: what counts, and why the rest does not."""

import argparse
import os
import subprocess
import tempfile
import unittest

WEFT = None
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TABLE = """vocabulary\tword\tkind\teffect
kernel\tdup\tprimitive\t( x -- x x )
kernel\tswap\tprimitive\t( x y -- x y )
kernel\tno-such-word\tword\t( -- )
kernel\tobject\tbuiltin class\t
help.examples.private\trun-example\tword\t( topic element -- failure/f )
no.such.vocabulary\tdup\tword\t( -- )
"""

RANKS = """rank\tvocabulary\tscope
1\tkernel\trequired
200\tno.such.vocabulary\trequired
3\tmath\tother
"""


class Coverage(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.table = self.write("table", TABLE)
        self.ranks = self.write("ranks", RANKS)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_tool(self, *arguments):
        return subprocess.run([WEFT, os.path.join(ROOT, "tools", "coverage"), *arguments], text=True,
                              capture_output=True, timeout=120)

    def numbers(self, line):
        fields = line.split()
        return [float(f) for f in fields if f.replace(".", "").isdigit()][-4:]

    def test_by_rank(self):
        result = self.run_tool(self.table, "--ranks", self.ranks, "--scope", "required")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(self.numbers(lines[0]), [4, 3, 2, 50.0])
        self.assertEqual(self.numbers(lines[1]), [1, 0, 0, 0.0])
        self.assertIn("down to rank 150", lines[2])
        self.assertEqual(self.numbers(lines[2]), [4, 3, 2, 50.0])
        self.assertEqual(self.numbers(lines[3]), [5, 3, 2, 40.0])

    def test_what_is_missing(self):
        result = self.run_tool(self.table, "--missing", "kernel")
        self.assertEqual(result.stdout,
                         "swap: has the effect ( x y -- y x ), not ( x y -- x y )\nno-such-word: missing\n")

    def test_usage(self):
        self.assertEqual(self.run_tool().returncode, 2)
        self.assertEqual(self.run_tool(self.table, "--what", "x").returncode, 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    options, rest = parser.parse_known_args()
    WEFT = os.path.abspath(options.weft)
    unittest.main(argv=["coverage_test"] + rest)
