"""The programs of docs/*.md: what stands in a fence of weft is run, and prints what the next fence of output says."""

import argparse
import os
import re
import subprocess
import tempfile
import unittest

WEFT = None
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PAIR = re.compile(r"^```weft\n(.*?)^```\n+(?:```output\n(.*?)^```\n)?", re.M | re.S)


def programs(name):
    with open(os.path.join(ROOT, "docs", name)) as file:
        return PAIR.findall(file.read())


class Docs(unittest.TestCase):
    maxDiff = None

    def check(self, name, least):
        found = programs(name)
        self.assertGreaterEqual(len(found), least)
        with tempfile.TemporaryDirectory() as folder:
            for number, (program, output) in enumerate(found, 1):
                path = os.path.join(folder, "program.weft")
                with open(path, "w") as file:
                    file.write(program)
                environment = dict(os.environ, TMPDIR=folder)
                result = subprocess.run([WEFT, path], text=True, capture_output=True, timeout=120,
                                        cwd=folder, env=environment)
                with self.subTest(document=name, program=number):
                    self.assertEqual(result.stdout, output, program + result.stderr)
                    self.assertEqual(result.returncode, 0, program)

    def test_cookbook(self):
        self.check("cookbook.md", 22)

    def test_tour(self):
        self.check("tour.md", 12)

    def test_differences(self):
        self.check("differences.md", 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    arguments, rest = parser.parse_known_args()
    WEFT = os.path.abspath(arguments.weft)
    unittest.main(argv=["docs_test"] + rest)
