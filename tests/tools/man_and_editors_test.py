"""The man page, completions and syntax files: complete, and taken by the programs they are for."""

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

WEFT = None
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

INTERNAL = {"--sibling"}


def read(*path):
    with open(os.path.join(ROOT, *path)) as file:
        return file.read()


def options():
    return set(re.findall(r'^OPTION\(\w+, "(-[^"]+)"', read("vm", "options.def"), re.M)) - INTERNAL


def commands():
    cases = read("stdlib", "weft", "main", "main.weft").split(": dispatch-command")[1].split("} case")[0]
    return set(re.findall(r'\{ "([a-z]+)" \[', cases))


class ManPage(unittest.TestCase):
    def page(self):
        # Made by CMake, beside the binary.
        return os.path.join(os.path.dirname(WEFT), "weft.1")

    def test_names_every_option_and_command(self):
        with open(self.page()) as file:
            text = file.read().replace("\\-", "-")
        for option in options():
            self.assertTrue(re.search(re.escape(option) + r"\b", text), option)
        for command in commands():
            self.assertTrue(re.search(r"\n\.BI? %s\b" % command, text), command)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_takes_it(self):
        result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", self.page()],
                                text=True, capture_output=True, timeout=60)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("EXIT STATUS", re.sub(".\x08", "", result.stdout))


class Completions(unittest.TestCase):
    def complete(self, *words, cwd=None):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weft; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        path = os.path.join(ROOT, "tools", "completions", "weft.bash")
        result = subprocess.run(["bash", "-c", script, "bash", path, WEFT, *words], text=True,
                                capture_output=True, timeout=60, cwd=cwd)
        self.assertEqual(result.stderr, "")
        return {word.strip() for word in result.stdout.split()}

    def test_options(self):
        self.assertEqual(options() - self.complete("-"), set())
        self.assertEqual(self.complete("--see"), {"--seed"})

    def test_commands_and_files(self):
        with tempfile.TemporaryDirectory() as folder:
            open(os.path.join(folder, "test.weft"), "w").close()
            self.assertEqual(self.complete("te", cwd=folder), {"test", "test.weft"})
            self.assertEqual(self.complete("test", "--s", cwd=folder), {"--seed"})
            self.assertEqual(self.complete("fmt", "--", cwd=folder), {"--check"})
            self.assertEqual(self.complete("profile", "--", cwd=folder), {"--every", "--flame", "--reading"})
            self.assertEqual(self.complete("disasm", "-", cwd=folder), {"--counts"})

    def test_every_shell_knows_every_command(self):
        for name in ("weft.bash", "_weft", "weft.fish"):
            text = read("tools", "completions", name)
            for command in commands():
                self.assertRegex(text, r"\b%s\b" % command, name)


class Editors(unittest.TestCase):
    def test_json_files_are_valid(self):
        folder = os.path.join(ROOT, "tools", "editors", "vscode")
        package = json.loads(read(folder, "package.json"))
        for grammar in package["contributes"]["grammars"]:
            rules = json.loads(read(folder, grammar["path"]))
            for rule in rules["patterns"]:
                # Look-behinds of one alternative each, for engines that want a fixed width.
                pattern = (rule.get("match") or rule["begin"]).replace(r"(?<=^|\s)", r"(?:^|(?<=\s))")
                re.compile(pattern)
        json.loads(read(folder, "language-configuration.json"))

    @unittest.skipUnless(shutil.which("vim"), "vim is not installed")
    def test_vim_highlights(self):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "a.weft")
            with open(source, "w") as file:
                file.write('USING: io ;\n: greet ( x -- ) "hi ! there" print ; ! done\n12 CHAR: a f\n')
            out = os.path.join(folder, "out")
            group = 'synIDattr(synID(%d, %d, 1), "name")'
            places = [(1, 1), (2, 1), (2, 3), (2, 9), (2, 19), (2, 24), (2, 40), (3, 1), (3, 4), (3, 12)]
            lines = ", ".join(group % place for place in places)
            runtime = os.path.join(ROOT, "tools", "editors", "vim")
            subprocess.run(
                ["vim", "-u", "NONE", "-N", "-es", "-c", "set runtimepath+=" + runtime, "-c", "syntax on",
                 "-c", "edit " + source, "-c", "set syntax=weft",
                 "-c", "call writefile([%s], '%s')" % (lines, out), "-c", "qa!"],
                timeout=60, stdin=subprocess.DEVNULL, capture_output=True)
            with open(out) as file:
                self.assertEqual(file.read().split(),
                                 ["weftUsing", "weftDefiner", "weftName", "weftEffect", "weftString",
                                  "weftString", "weftComment", "weftNumber", "weftCharacter",
                                  "weftConstant"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    arguments, rest = parser.parse_known_args()
    WEFT = os.path.abspath(arguments.weft)
    unittest.main(argv=["man_and_editors_test"] + rest)
