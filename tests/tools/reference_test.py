"""weft doc: links lead somewhere, every public word is there, the search works on files, no script is needed to read."""

import argparse
import html.parser
import os
import shutil
import subprocess
import tempfile
import unittest

WEFT = None
VOCABULARIES = ["kernel", "sequences", "math", "assocs", "threads", "json"]


class Page(html.parser.HTMLParser):
    """Anchors, links and text of a page; text of scripts and styles is none."""

    VOID = {"meta", "input", "br", "link", "hr", "img"}

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.text, self.open, self.strays = set(), [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.add(attributes["id"])
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.strays.append(tag)

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)


class Reference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="weft-reference-")
        done = subprocess.run([WEFT, "doc", "--to", cls.folder, *VOCABULARIES], text=True, capture_output=True,
                              timeout=300)
        assert done.returncode == 0, done.stderr
        cls.pages = {}
        for name in os.listdir(cls.folder):
            with open(os.path.join(cls.folder, name)) as file:
                cls.pages[name] = Page(file.read())

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_the_whole_library(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([WEFT, "doc", "--to", folder], text=True, capture_output=True, timeout=300)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("words.html", os.listdir(folder))

    def test_pages_are_well_formed(self):
        for name, page in self.pages.items():
            self.assertEqual((name, page.strays), (name, []))

    def test_links_lead_somewhere(self):
        count = 0
        for name, page in self.pages.items():
            for link in page.links:
                if link.startswith(("http:", "https:")):
                    continue
                target, _, anchor = link.partition("#")
                target = target or name
                self.assertIn(target, self.pages, (name, link))
                if anchor:
                    self.assertIn(anchor, self.pages[target].ids, (name, link))
                count += 1
        self.assertGreater(count, 1000)

    def test_every_public_word_is_there(self):
        code = ('USING: io kernel sequences vocabs words accessors ; { %s } '
                '[ dup vocab-words [ name>> over "\\t" rot 3append print ] each drop ] each'
                % " ".join('"%s"' % name for name in VOCABULARIES))
        rows = subprocess.run([WEFT, "-e", code], text=True, capture_output=True, timeout=60).stdout.splitlines()
        self.assertGreater(len(rows), 500)
        index = " ".join(self.pages["words.html"].text).split()
        for row in rows:
            vocabulary, word = row.split("\t")
            text = " ".join(self.pages["vocab-%s.html" % vocabulary].text).split()
            self.assertIn(word, text, row)
            self.assertIn(word, index, row)

    def test_readable_without_scripts(self):
        for name, page in self.pages.items():
            if name.startswith("vocab-"):
                with open(os.path.join(self.folder, name)) as file:
                    self.assertNotIn("<script", file.read(), name)
        with open(os.path.join(self.folder, "words.html")) as file:
            text = file.read()
        # The field appears only where scripts run; they load nothing from anywhere.
        self.assertIn("hidden", text)
        self.assertNotIn("src=", text)
        self.assertNotIn("fetch(", text)

    def browser(self, url):
        with tempfile.TemporaryDirectory() as profile:
            return subprocess.run(
                ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--user-data-dir=" + profile, "--virtual-time-budget=5000", "--dump-dom", url],
                text=True, capture_output=True, timeout=120).stdout

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed")
    def test_search_in_a_browser(self):
        path = os.path.join(self.folder, "words.html")
        with open(path) as file:
            text = file.read()
        typed = os.path.join(self.folder, "typed.html")
        with open(typed, "w") as file:
            file.write(text.replace("</body>", "<script>q.value='supremum';"
                                               "q.dispatchEvent(new Event('input'))</script></body>"))
        rows = [row for row in self.browser("file://" + typed).split("<tr")[1:]]
        shown = [row for row in rows if not row.split(">")[0].count("hidden")]
        os.unlink(typed)
        self.assertGreater(len(rows), 500)
        self.assertTrue(shown and len(shown) < 10, len(shown))
        self.assertTrue(all("supremum" in row for row in shown), shown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    options, rest = parser.parse_known_args()
    WEFT = os.path.abspath(options.weft)
    unittest.main(argv=["reference_test"] + rest)
