"""weft test over several files: siblings, seeds, and files that do not end."""

import argparse
import os
import subprocess
import tempfile
import unittest

WEFT = None

GOOD = "USING: math tools.test ;\nIN: good\n{ 3 } [ 1 2 + ] unit-test\n{ 4 } [ 2 2 + ] unit-test\n"
BAD = "USING: io math tools.test ;\nIN: bad\n\"before\" print\n{ 4 } [ 1 2 + ] unit-test\n"
STOPS = "USING: system tools.test ;\nIN: stops\n{ 1 } [ 1 ] unit-test\n3 exit\n"
HANGS = """USING: calendar concurrency.mailboxes kernel threads tools.test ;
IN: hangs
: stuck ( mailbox -- ) mailbox-get drop ;
: endless ( -- ) [ yield t ] loop ;
<mailbox> [ stuck ] curry "the stuck thread" spawn drop
{ } [ endless ] unit-test
"""


def weft(*arguments):
    return subprocess.run([WEFT, *arguments], text=True, capture_output=True, timeout=300)


class TestCommand(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name + "-tests.weft")
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_a_new_project_from_where_it_lies_and_from_elsewhere(self):
        folder = self.folder.name
        subprocess.run([WEFT, "new", "my-thing"], cwd=folder, check=True, capture_output=True)
        project = os.path.join(folder, "my-thing")
        for place, name in ((folder, "my-thing"), ("/", project)):
            for command, last in (("test", "1 passed, 0 failed"), ("check", "0 errors, 0 warnings")):
                run = subprocess.run([WEFT, command, name], cwd=place, text=True, capture_output=True, timeout=300)
                self.assertEqual((run.returncode, run.stdout.splitlines()[-1]), (0, last), run.stderr)
        run = subprocess.run([WEFT, "run", "my-thing"], cwd=folder, text=True, capture_output=True, timeout=300)
        self.assertEqual(run.stdout, "Hello, world!\n")

    def test_all_pass(self):
        self.write("a", GOOD)
        self.write("b", GOOD)
        result = weft("test", self.folder.name)
        self.assertEqual((result.returncode, result.stdout), (0, "4 passed, 0 failed\n"))

    def test_failures_come_with_a_command_to_repeat_them(self):
        good, bad = self.write("a", GOOD), self.write("b", BAD)
        result = weft("test", "--jobs", "2", "--seed", "7", good, bad)
        self.assertEqual(result.returncode, 1)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "before")
        self.assertEqual(lines[1], bad + ":4: failed")
        self.assertIn("    to repeat: weft --seed 7 test " + bad, lines)
        self.assertEqual(lines[-1], "2 passed, 1 failed")
        self.assertEqual(weft("--seed", "7", "test", bad).returncode, 1)

    def test_a_file_that_ends_its_vm(self):
        good, stops = self.write("a", GOOD), self.write("b", STOPS)
        result = weft("test", good, stops)
        self.assertEqual(result.returncode, 1)
        self.assertIn(stops + ": stopped\n", result.stdout)
        self.assertIn("status 3", result.stdout)
        self.assertTrue(result.stdout.endswith("2 passed, 0 failed, 1 broken\n"), result.stdout)

    def test_a_hung_file_is_named_with_what_its_threads_wait_for(self):
        good, hangs = self.write("a", GOOD), self.write("b", HANGS)
        result = weft("test", "--timeout", "2", good, hangs)
        self.assertEqual(result.returncode, 1)
        self.assertIn(hangs + ": hung\n", result.stdout)
        self.assertIn("to repeat: weft test " + hangs, result.stdout)
        self.assertIn(hangs + ": no end after 2 s; its threads:", result.stderr)
        self.assertIn("the stuck thread", result.stderr)
        self.assertIn("waits for mail in a mailbox", result.stderr)
        self.assertIn("%s:3:" % hangs, result.stderr)

    def test_a_seed_reaches_the_siblings(self):
        text = ('USING: io kernel prettyprint system.private tools.test ;\nIN: seeds\n'
                '"seed" vm-option .\n{ } [ ] unit-test\n')
        paths = [self.write(name, text) for name in "ab"]
        result = weft("test", "--seed", "11", *paths)
        self.assertEqual(result.stdout, "11\n11\n2 passed, 0 failed\n")

    def test_wrong_use(self):
        self.assertEqual(weft("test").returncode, 2)
        result = weft("test", "--jobs", "many", self.folder.name)
        self.assertEqual((result.returncode, result.stderr), (2, "--jobs wants a number\n"))
        self.assertEqual(weft("test", self.write("a", GOOD), "no-such-file").returncode, 1)

    def test_tap_stays_in_one_vm(self):
        good = self.write("a", GOOD)
        result = weft("test", "--tap", good, good)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout.splitlines()[0], "TAP version 13")
        self.assertEqual(result.stdout.splitlines()[-1], "1..4")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    options, rest = parser.parse_known_args()
    WEFT = os.path.abspath(options.weft)
    unittest.main(argv=["test_command_test"] + rest)
