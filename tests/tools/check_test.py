"""weft check, weft new and weft help, as a user calls them."""

import argparse
import os
import subprocess
import tempfile
import unittest

WEFT = None

SOURCE = """USING: accessors kernel math sequences io kernel ;
IN: c1

<PRIVATE

: unused ( -- ) ;
: helper ( x -- y ) 1 + ;

PRIVATE>

: length ( x -- y ) helper ;

:: a ( x y quot: ( z -- w ) -- z )
    x 1 + :> n
    n :> m
    5 :> x
    1 2 [| e i | e n + ] call( a b -- c )
    1 [| i | i ] call( a -- b ) + ;
"""

WARNINGS = """1:8: nothing of accessors is used
1:18: nothing of kernel is used
1:40: nothing of io is used
1:43: nothing of kernel is used
1:43: kernel is used already
6:3: the private word unused is not used in this file
11:3: length hides the word of sequences
13:10: the input y is never used
13:12: the input quot is never used
15:10: the local m is never used
16:10: the local x is never used
16:10: the local x hides the one of line 13
17:14: the local i is never used
"""


def weft(*arguments, cwd=None):
    return subprocess.run([WEFT, *arguments], text=True, capture_output=True, timeout=120, cwd=cwd)


class Check(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_warnings(self):
        path = self.write("c1.weft", SOURCE)
        result = weft("check", path)
        expected = "".join("%s:%s:%s: warning:%s\n" % (path, *line.split(":", 2))
                           for line in WARNINGS.splitlines())
        self.assertEqual(result.stdout, expected + "0 errors, 13 warnings\n")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(weft("check", "--strict", path).returncode, 1)

    def test_an_effect_that_is_wrong(self):
        path = self.write("c2.weft", "USING: math ;\nIN: c2\n: bad ( x -- ) 1 + ;\n")
        result = weft("check", path)
        self.assertEqual((result.returncode, result.stdout), (1, "1 error, 0 warnings\n"))
        self.assertIn(path + ":3:3: error: Stack effect declaration of bad is wrong", result.stderr)

    def test_each_vocabulary_may_have_a_main_word(self):
        for name, used in (("m1", "kernel"), ("m2", "m1")):
            self.write(name + "/" + name + ".weft",
                       "USE: %s\nIN: %s\n: main ( -- ) ;\n: dup ( -- ) ;\nMAIN: main\n" % (used, name))
        result = weft("-I", ".", "check", "m2", cwd=self.folder.name)
        self.assertNotIn("main hides", result.stdout)
        self.assertIn("dup hides the word of m1", result.stdout)

    def test_text_that_cannot_be_read(self):
        path = self.write("c3.weft", "USING: math ;\nIN: c3\n: bad ( x -- ) [ 1 + ;\n")
        result = weft("check", path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("error:", result.stderr)

    def test_nothing_is_run(self):
        path = self.write("c4.weft", 'USE: io\n"side effect" print\n')
        result = weft("check", "--strict", path)
        self.assertEqual((result.returncode, result.stdout), (0, "0 errors, 0 warnings\n"))

    def test_a_vocabulary(self):
        result = weft("check", "--strict", "tools.check", "tools.source", "tools.fmt", "tools.new",
                      "help", "help.markup", "help.docs", "help.text", "help.examples")
        self.assertEqual((result.returncode, result.stdout), (0, "0 errors, 0 warnings\n"))

    def test_what_is_not_there(self):
        result = weft("check", "no-such-thing")
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no source file and no vocabulary no-such-thing", result.stdout)
        self.assertEqual(weft("check").returncode, 2)

    def test_new(self):
        result = weft("new", "my-thing", cwd=self.folder.name)
        self.assertEqual(result.returncode, 0, result.stderr)
        run = weft("-I", ".", "run", "my-thing", cwd=self.folder.name)
        self.assertEqual((run.returncode, run.stdout), (0, "Hello, world!\n"))
        test = weft("-I", ".", "test", "my-thing", cwd=self.folder.name)
        self.assertEqual((test.returncode, test.stdout.splitlines()[-1]), (0, "1 passed, 0 failed"))
        docs = weft("-I", ".", "run", "help.examples", "my-thing", cwd=self.folder.name)
        self.assertEqual((docs.returncode, docs.stdout), (0, "1 passed, 0 failed\n"))
        help_text = weft("-I", ".", "help", "my-thing", cwd=self.folder.name)
        self.assertIn("Makes a greeting for somebody.", help_text.stdout)
        check = weft("check", "--strict", "my-thing/my-thing.weft", cwd=self.folder.name)
        self.assertEqual(check.returncode, 0, check.stdout)
        fmt = weft("fmt", "--check", "my-thing", cwd=self.folder.name)
        self.assertEqual((fmt.returncode, fmt.stdout), (0, ""))
        again = weft("new", "my-thing", cwd=self.folder.name)
        self.assertEqual(again.returncode, 1)
        self.assertIn("There is such a file already", again.stderr)

    def test_new_refuses_names(self):
        for name in ("5x", "", "a/b", "a b", "kernel", "..", "a.b"):
            result = weft("new", name, cwd=self.folder.name)
            self.assertEqual(result.returncode, 1, name)
        self.assertEqual(os.listdir(self.folder.name), [])
        self.assertEqual(weft("new").returncode, 2)

    def test_help_of_what_there_is_not(self):
        result = weft("help", "seqences")
        self.assertEqual(result.returncode, 1)
        self.assertIn("Did you mean: sequences", result.stderr)

    def test_a_command_with_a_slip(self):
        result = weft("tset", "x", cwd=self.folder.name)
        self.assertEqual((result.returncode, result.stderr),
                         (2, "weft: there is no file tset; did you mean: weft test\n"))
        self.assertEqual(weft("nothing.weft").stderr, "weft: there is no file nothing.weft\n")

    def test_help_of_words_of_the_folder(self):
        self.assertEqual(weft("new", "my-thing", cwd=self.folder.name).returncode, 0)
        result = weft("help", "greeting", cwd=self.folder.name)
        self.assertIn("Makes a greeting for somebody.", result.stdout)
        self.assertEqual(weft("help", "greetin-g", cwd=self.folder.name).returncode, 1)

    def test_help_of_a_name_that_a_word_and_a_vocabulary_have(self):
        result = weft("help", "threads")
        self.assertIn("threads ( -- assoc )\n", result.stdout)
        self.assertIn("\nthreads vocabulary\n", result.stdout)

    def test_help_follows_the_library(self):
        # Where the image's library is gone, the installed one beside the binary is read.
        result = weft("help", "map")
        self.assertEqual(result.returncode, 0)
        self.assertIn("{ 1 2 3 } [ sq ] map .\n    { 1 4 9 }", result.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    options, rest = parser.parse_known_args()
    WEFT = os.path.abspath(options.weft)
    unittest.main(argv=["check_test"] + rest)
