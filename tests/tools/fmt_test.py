"""weft fmt: what it makes of texts, and that the library means the same afterwards."""

import argparse
import os
import shutil
import subprocess
import tempfile
import unittest

WEFT = None
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def fmt(*arguments, text=None):
    return subprocess.run([WEFT, "fmt", *arguments], input=text, text=True, capture_output=True,
                          timeout=500)


def unbreakable(line):
    """Comments, strings and numbers are left whole, and the names of an effect."""
    return len(line.split()) == 1 or "!" in line or '"' in line or "(" in line or "[[" in line


class Fmt(unittest.TestCase):
    def check(self, before, after):
        result = fmt("-", text=before)
        self.assertEqual((result.returncode, result.stdout), (0, after), result.stderr)
        self.assertEqual(fmt("-", text=after).stdout, after)

    def test_indents_by_nesting(self):
        self.check(": a ( x -- y )\n  [ 1 +\n ] map   \n{ 1 2\n3\n} ;\n",
                   ": a ( x -- y )\n    [ 1 +\n    ] map\n    { 1 2\n        3\n    } ;\n")

    def test_several_openers_on_a_line_are_one_level(self):
        self.check("{ { 1 [\n2\n] } }\n", "{ { 1 [\n    2\n] } }\n")

    def test_comments_keep_their_text(self):
        self.check("! one [ (\n: a ( -- )\n  ! two \"\n  b ;   ! three\n",
                   "! one [ (\n: a ( -- )\n    ! two \"\n    b ;   ! three\n")

    def test_literals_over_lines_stay(self):
        text = ': a ( -- x )\n    "one  \n\n\n      two" ;\n'
        self.check(text, text)
        text = 'USE: multiline\nSTRING: s\n  kept  \n;\n\n: b ( -- )\n    [[ x\n  y ]] drop ;\n'
        self.check(text, text)

    def test_quoted_brackets_open_nothing(self):
        self.check("CHAR: [ .\n\\ [ .\nPOSTPONE: { .\n1 .\n", "CHAR: [ .\n\\ [ .\nPOSTPONE: { .\n1 .\n")

    def test_empty_lines(self):
        self.check("\n\n1 .\n\n\n\n2 .\n\n", "1 .\n\n2 .\n")

    def test_long_lines_are_broken(self):
        body = "[ dup 1 + swap 2 - * ] [ drop dup 100 > [ 2 * 3 + ] [ 3 * ] if ] if swap [ 1 + ] dip drop ;"
        self.check(": word ( first second third -- result ) %s\n" % body,
                   ": word ( first second third -- result )\n    %s\n" % body)
        rows = ['{ "%s" %d "%s" }' % ("one" * 3, i, "eins" * 3) for i in range(5)]
        self.check("CONSTANT: table { %s }\n" % " ".join(rows),
                   "CONSTANT: table {\n    %s\n    %s\n    %s\n}\n" %
                   (" ".join(rows[:2]), " ".join(rows[2:4]), rows[4]))
        self.check("M: some-very-long-class-name-for-this some-generic-word [ slot>> ] [ other-slot>> ] bi [ append ] keep drop ;\n",
                   "M: some-very-long-class-name-for-this some-generic-word\n"
                   "    [ slot>> ] [ other-slot>> ] bi [ append ] keep drop ;\n")
        names = " ".join("vocabulary%d" % i for i in range(12))
        first, second = names.split(" vocabulary7")
        self.check("USING: %s ;\n" % names, "USING: %s\nvocabulary7%s ;\n" % (first, second))

    def test_calls_with_an_effect_stay_with_what_they_call(self):
        for call in ("call(", "execute("):
            before = "first-of-some-words second-of-some-words third-of-some-words fourth-of-some-words"
            self.check("%s quotation %s first second -- third ) after\n" % (before, call),
                       "%s\nquotation %s first second -- third ) after\n" % (before, call))

    def test_what_cannot_be_broken_stays(self):
        for text in ('"%s" .\n' % ("long " * 30), "! %s\n" % ("long " * 30),
                     ": a ( -- x ) 5 ; ! %s\n" % ("long " * 30), "CHAR: %s\n" % ("x" * 120),
                     ": a ( %s -- ) ;\n" % ("input " * 20).strip()):
            lines = fmt("-", text=text).stdout.splitlines()
            self.assertEqual("\n".join(lines).split(), text.split())
            self.check("\n".join(lines) + "\n", "\n".join(lines) + "\n")

    def test_what_is_not_balanced_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.weft")
            with open(path, "w") as file:
                file.write("  1 ] .\n")
            result = fmt(path)
            self.assertEqual(result.returncode, 1)
            self.assertIn("no counterpart: ] (line 1)", result.stderr)
            with open(path) as file:
                self.assertEqual(file.read(), "  1 ] .\n")

    def test_an_unfinished_string_is_refused(self):
        result = fmt("-", text='1 "abc\n')
        self.assertNotEqual(result.returncode, 0)

    def test_usage(self):
        self.assertEqual(fmt().returncode, 2)

    def test_the_library(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "stdlib")
            shutil.copytree(os.path.join(ROOT, "stdlib"), copy)
            self.assertEqual(fmt(copy).returncode, 0)
            changed = 0
            wide = []
            for directory, _, names in os.walk(copy):
                for name in names:
                    path = os.path.join(directory, name)
                    original = os.path.join(ROOT, "stdlib", os.path.relpath(path, copy))
                    with open(path) as file, open(original) as old:
                        after, before = file.read(), old.read()
                    changed += after != before
                    self.assertEqual(after.split(), before.split(), original)
                    known = {line.strip() for line in before.splitlines()}  # also lines of literals
                    wide += [line for line in after.splitlines()
                             if len(line) > 100 and line.strip() not in known and not unbreakable(line)]
            self.assertGreater(changed, 0)
            self.assertEqual(wide, [])
            again = fmt("--check", copy)
            self.assertEqual((again.returncode, again.stdout), (0, ""))
            # The formatted library builds, and compiles without an error.
            image = subprocess.run([WEFT, "--build-image", os.path.join(folder, "image"), copy],
                                   text=True, capture_output=True, timeout=500)
            self.assertEqual(image.returncode, 0, image.stderr)
            self.assertIn("0 words of the library do not compile", image.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    options, rest = parser.parse_known_args()
    WEFT = os.path.abspath(options.weft)
    unittest.main(argv=["fmt_test"] + rest)
