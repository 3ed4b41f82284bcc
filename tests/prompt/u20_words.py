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


def test_u25_help_prefers_the_own_word():
    with Terminal(rows=40) as t:
        t.enter(": double ( n -- m ) 2 * ;")
        t.enter("help double", "double ( n -- m )\n\nVocabulary\nscratchpad")
        t.wait_for("Also a word of: alien.c-types")


def test_u25_a_word_without_a_file_cannot_be_edited():
    with Terminal() as t:
        t.enter(": double ( n -- m ) 2 * ;")
        t.enter("edit double", "No file has this place: prompt:1\n" + PROMPT.rstrip())


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
        row = t.screen.lines()[-3]
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
        t.enter("see {", "SYNTAX: {")  # no bracket that has to be closed
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


def test_u25_small_values_are_shown_whole_and_what_is_cut_is_told_once():
    with Terminal(rows=40) as t:
        t.enter('{ { 1 { 2 { 3 } } } "a" }', '--- Data stack:\n{ { 1 { 2 { 3 } } } "a" }\nIN:')
        t.enter("clear V{ 1 } clone dup dup push", "V{ 1 ~circularity~ }\n(. prints the top value whole")
        t.enter("clear 100 <iota> [ ] map", "~85 more~ }\nIN:")  # said already
        t.enter("clear { { 1 2 } } 5 [ dup 2array ] times", "~array~ ~array~")
    with Terminal(rows=40, columns=41) as t:
        t.enter("USE: strings 100 CHAR: x <string>", '..."\n')
        t.wait(lambda: max(len(line) for line in t.screen.lines() if "xx" in line) <= 40)
        t.enter("clear")
    with Terminal(rows=40, columns=40) as t:
        t.enter("20 <iota> [ ] map")
        assert t.screen.lines()[-3] == "{ 0 1 2 3 4 5 6 7 8 9 ~10 more~ }", t.screen.text()


def test_u25_shared_parts_end():
    with Terminal(rows=40) as t:
        t.enter("{ 1 2 } dup 2array .", "\n{ { 1 2 } { 1 2 } }")
        t.enter("{ 1 } 60 [ dup 2array ] times .", "~shared~")


def test_u26_what_is_loaded():
    with Terminal(rows=40, columns=100) as t:
        t.enter("vocabs tools.line", "tools.line-editor")
        assert "sequences" not in t.screen.text()
        t.enter("vocabs nosuchthing", "No vocabulary has that in its name")
        t.enter("vocabs")
        assert "words" in t.screen.everything().split()
        t.enter("vars", "No variable of yours has a value")
        t.enter("SYMBOL: size 5 size set vars", "size 5")


def test_u26_what_a_line_takes():
    with Terminal(rows=60, columns=100) as t:
        t.enter(": squares ( n -- m ) <iota> [ sq ] map-sum ;")
        t.enter("time 1000 squares .", "332833500")
        assert " instructions, " in t.screen.lines()[-2] and t.screen.lines()[-2].endswith(" ms"), t.screen.text()
        t.enter("profile 100,000 squares .", "one every 101 instructions")
        assert "%  squares" in t.screen.text(), t.screen.text()
        t.enter("allocs 1000 [ V{ } clone ] replicate length .", "\nclass")
        row = next(line for line in t.screen.lines() if line.startswith("vector "))
        assert int(row.split()[1]) >= 1000, row
        # The places of errors, the values that are left, and two lines.
        t.enter("time 1 nosuchword", "prompt:1:8:")
        t.enter("time 3 4", "--- Data stack:\n3\n4\n")
        t.enter("time 1 0 /", " ms\nprompt:1:10: error: Division by zero")


def test_u31_a_wrong_number_asks_again():
    with Terminal(rows=40) as t:
        t.enter(":4", "There is no :4\nNothing is offered now")
        t.enter("nosuchword", ":1      Defer word")
        t.enter(":7", "There is no :7\n:1      Defer word")
        t.enter(":0", "There is no :0\n:1      Defer word")
        t.enter(":1", "called before definition: nosuchword")


def test_u41_threads():
    with Terminal(columns=120, rows=40) as t:
        t.enter("USING: threads concurrency.mailboxes ;")
        t.enter('[ 1,000,000,000,000 sleep 1 drop ] "Sleeper" spawn id>> .')
        number = t.screen.lines()[-2]
        t.enter('[ <mailbox> mailbox-get drop ] "Getter" spawn drop')
        t.enter("threads.", "instructions")
        rows = {line.split()[1]: line for line in t.screen.lines()
                if len(line.split()) > 3 and line.split()[0].isdigit()}
        assert "waits" in rows["Sleeper"] and "prompt:1:" in rows["Sleeper"], rows
        assert "mailbox" in rows["Getter"] and "since" in rows["Getter"] and "prompt:1:" in rows["Getter"], rows
        t.enter("thread %s" % number, "in a quotation  prompt:1:")
        t.enter("thread %s stack." % number)
        assert t.screen.text().count("in a quotation  prompt:1:") == 2, t.screen.text()
        t.enter("%s cancel" % number, "Cancelled: thread \"Sleeper\"")
        t.enter("thread %s" % number, "There is no thread " + number)
        t.enter("77 cancel", "There is no thread 77")


def test_u42_workers():
    with Terminal(columns=120, rows=40) as t:
        t.enter("workers.", "There are no sibling VMs")
        t.enter("USING: vms vms.workers ; create-worker")
        t.enter("[ 1 2 + ] over send-task [ 1 0 / ] over send-task dup receive-result .", "\n3\n")
        t.enter("dup [ receive-result . ] curry [ drop ] recover")
        t.enter("[ [ t ] loop ] over send-task [ 5 ] over send-task")
        t.enter("workers.")
        titles, row = t.screen.lines()[-5:-3]
        assert titles.split() == "name pid state queue done failed memory processor task".split(), t.screen.text()
        fields = row.split(None, 9)
        assert fields[0:2] == ["worker", "1"] and fields[4:7] == ["1", "1", "1"], row
        assert "MiB" in row and row.endswith(" loop ]"), row
        os.kill(int(fields[2]), 0)


def test_u43_deadlocks():
    with Terminal(columns=120) as t:
        t.enter("deadlocks.", "No thread waits for anything")
        t.enter('USING: threads concurrency.mailboxes ; [ <mailbox> mailbox-get drop ] "Getter" spawn drop')
        t.enter("yield deadlocks.", 'thread "Getter" (id ')


def test_u45_trace():
    with Terminal(rows=40) as t:
        t.enter(": half ( x -- y ) 2 / ;")
        t.enter(": quarter ( x -- y ) half half ;")
        t.enter("trace half")
        t.enter("trace quarter")
        t.enter("12 quarter", "-> quarter 12\n  -> half 12\n  <- half 6\n  -> half 6\n  <- half 3\n<- quarter 3\n")
        t.enter('clear "x" quarter', "<- quarter failed: ")
        t.enter("reset half")
        t.enter("reset quarter")
        t.enter("clear 20 quarter", "--- Data stack:\n5\n")
        t.enter("trace nosuchword", "There is no word named")


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
