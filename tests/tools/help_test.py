"""weft help of words drawn by seed: each shows its effect, a text and an example.

What the examples print is compared where all of them are run (help.examples)."""

import argparse
import os
import random
import re
import subprocess
import tempfile
import unittest

WEFT = None
SEEDS = (1, 2)
DRAWN = 25

# The names of all words that HELP: describes with an example, and that are the only ones of their name.
NAMES = """USING: accessors assocs combinators.short-circuit help.docs help.markup io kernel math sequences splitting vocabs words ;
IN: names
load-all-docs
all-words [
    { [ vocabulary>> ".private" tail? not ] [ documentation dup [ \\ $examples swap elements ] when empty? not ] } 1&&
] filter [ name>> ] collect-by [ nip length 1 = ] assoc-filter keys [ print ] each
"""


def weft(*arguments):
    return subprocess.run([WEFT, *arguments], text=True, capture_output=True, timeout=300)


class Help(unittest.TestCase):
    def names(self):
        with tempfile.NamedTemporaryFile("w", suffix=".weft") as file:
            file.write(NAMES)
            file.flush()
            result = weft(file.name)
        self.assertEqual(result.returncode, 0, result.stderr)
        return sorted(result.stdout.splitlines())

    def test_words_drawn_by_seed(self):
        names = self.names()
        self.assertGreater(len(names), 1000)
        for seed in SEEDS:
            for name in random.Random(seed).sample(names, DRAWN):
                with self.subTest(seed=seed, name=name):
                    page = weft("help", name)
                    self.assertEqual(page.returncode, 0, page.stderr)
                    lines = page.stdout.splitlines()
                    self.assertTrue(lines[0] == name or re.match(re.escape(name) + r" +\( .*-- .*\)", lines[0]), lines[0])
                    text = lines.index(next(line for line in lines if line.endswith("description")))
                    self.assertGreater(len(lines[text + 1].split()), 1)
                    example = lines[lines.index("Examples") + 1:]
                    self.assertTrue(any(line.strip() for line in example))


def main():
    global WEFT
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    options, rest = parser.parse_known_args()
    WEFT = os.path.abspath(options.weft)
    unittest.main(argv=["help_test", *rest])


if __name__ == "__main__":
    main()
