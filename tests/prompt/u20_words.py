"""U20 to U26: restarts, the stack, short commands, printed values."""
from support import *


def test_u20_a_word_of_another_vocabulary():
    with Terminal() as t:
        t.enter("<mailbox>", ":1      Use the concurrency.mailboxes vocabulary")
        t.enter(":1", "T{ mailbox")
        t.enter("mailbox? .", "\nt")


def test_u20_near_names():
    with Terminal() as t:
        t.enter("reversse", "Did you mean: reverse")
        t.enter("USE: math.functons", "Did you mean: math.functions?")


def test_u31_restarts_by_number():
    with Terminal() as t:
        t.enter("later-defined", "Defer word in current vocabulary")
        t.enter("7 :res", "There is no restart 7, only 1")
        t.wait_for(":1      Defer word in current vocabulary")
        t.enter(":1", "later-defined")
        t.enter(": later-defined ( -- x ) 5 ;")
        t.enter("later-defined .", "\n5")
        t.enter("1 drop")
        t.enter('USE: continuations "bad" { { "Ten" 10 } { "Twenty" 20 } } throw-restarts .', ":2      Twenty")
        t.enter(":2", "\n20")


def test_u21_the_stack_after_each_line():
    with Terminal(rows=40) as t:
        t.enter("1 2")
        t.wait_for("--- Data stack:\n1\n2\n" + PROMPT.rstrip())
        t.enter("clear 14 <iota> [ ] each")
        t.wait_for("--- Data stack:\n(4 more below; .s shows all)\n4\n5")
        t.enter(".s", "\n0\n1\n2\n3\n4")
        t.enter("clear 200 <iota> >array")
        row = t.screen.lines()[-2]
        assert len(row) < 80 and "more~" in row, row  # cut
        t.enter("USE: listener f display-stacks? set-global 77")
        assert "77" not in t.screen.lines()[-2].replace("set-global 77", ""), t.screen.text()
        t.enter("t display-stacks? set-global")
        t.wait_for("77\n" + PROMPT.rstrip())


def test_u22_short_commands():
    with Terminal(rows=50, columns=120) as t:
        path = os.path.join(t.home, "shapes.weft")
        with open(path, "w") as file:
            file.write("USING: kernel math ;\nIN: shapes\n\n! Of a square.\n: area ( x -- y )   dup *   ; ! squared\n\n"
                       ": twice-area ( x -- y ) area 2 * ;\n")
        t.enter('"shapes.weft" run-file')
        t.enter("USE: shapes")
        t.enter("see area", "! Of a square.\n: area ( x -- y )   dup *   ; ! squared")
        t.enter("\\ area see", ": area ( x -- y ) dup * ;")
        t.enter("usage area", "twice-area ( x -- y )")
        t.enter("effect area", "area ( x -- y )")
        t.enter("where twice-area", "shapes.weft:7:3")
        t.enter("apropos ice-ar", "shapes")
        t.enter("help dup", "dup")
        t.enter("see nosuchword", "no word named")
        t.enter("see arae", "Did you mean: area")
        t.enter("help nosuchtopic", "nosuchtopic")
        t.enter("bytecode area", "area")
        t.enter("{ 5 6 } inspect", "6")


def test_u22_edit_opens_the_editor_at_the_line():
    with Terminal(columns=120) as t:
        editor = os.path.join(t.home, "editor")
        with open(editor, "w") as file:
            file.write('#!/bin/sh\necho "editing $*"\n')
        os.chmod(editor, 0o755)
        with open(os.path.join(t.home, "shapes.weft"), "w") as file:
            file.write("USING: kernel math ;\nIN: shapes\n: area ( x -- y ) dup * ;\n")
        t.enter('"shapes.weft" run-file')
        t.enter("USING: shapes environment.private ;")
        t.enter('"%s" "EDITOR" (set-os-env)' % editor)
        t.enter("edit area", "editing +3 %s/shapes.weft" % t.home)


def test_u25_cycles_are_marked_and_values_read_back():
    with Terminal() as t:
        t.enter("V{ 1 } clone dup dup push .", "V{ 1 ~circularity~ }")
        t.enter('clear { 1.5 "a\\nb" H{ { 1 2 } } [ dup ] f } .', '{ 1.5 "a\\nb" H{ { 1 2 } } [ dup ] f }')


def test_u26_what_is_loaded():
    with Terminal(rows=60) as t:
        t.enter("vocabs", "\nwords\n")
        t.enter("vars", "manifest")


def test_u41_threads():
    with Terminal(columns=120) as t:
        t.enter('USING: threads ; [ 1,000,000,000,000 sleep ] "Sleeper" spawn drop')
        t.enter("threads.", "Sleeper")
        row = next(line for line in t.screen.lines() if "Sleeper" in line and "spawn" not in line.split("spawned")[0])
        assert "waits" in row and "prompt:1:" in row, row


def test_u45_watch():
    with Terminal(rows=40) as t:
        t.enter(": twice ( x -- y ) 2 * ;")
        t.enter("\\ twice watch")
        t.enter("21 twice", "--- Leaving twice")
        text = t.screen.text()
        assert "--- Entering twice\nx 21\n" in text and "--- Leaving twice\ny 42\n" in text, text
        t.enter("drop \\ twice reset")
        t.enter("watch twice")
        t.enter("\\ twice reset 4 twice")
        assert t.screen.text().count("Entering") == 1


def test_u46_refresh():
    with Terminal(rows=40) as t:
        path = os.path.join(t.home, "shapes.weft")

        def write(body):
            with open(path, "w") as file:
                file.write("USING: kernel math ;\nIN: shapes\n" + body)

        write(": area ( x -- y ) dup * ;\n: side ( -- x ) 3 ;\n")
        t.enter('"shapes.weft" run-file')
        t.enter("USE: shapes 5 area .", "25")
        write(": area ( x -- y ) dup * 1 + ;\n: side ( -- x ) 3 ;\n")
        t.enter("refresh", "Loading")
        t.enter("5 area .", "26")
        # What does not compile keeps the definition it had; the rest is new.
        write(": area ( x -- y ) dup dup * ;\n: side ( -- x ) 4 ;\n")
        t.enter("refresh", "area keeps the definition it had")
        t.enter("5 area 100 + .", "126")
        t.enter("side 100 + .", "104")
        # What cannot be read changes nothing.
        write(": area ( x -- y ) nosuchword ;\n: side ( -- x ) 5 ;\n")
        t.enter("refresh", "stay as they were")
        t.enter("5 area 200 + side + .", "230")


if __name__ == "__main__":
    main(globals())
