"""U11: pasted text is text: nothing runs before Enter."""
from support import *


def test_nothing_runs_before_enter():
    with Terminal() as t:
        t.send(paste('"ran" print\n1 2 +\n'))
        t.wait(lambda: t.screen.row == 3, "three rows")
        assert "ran" not in t.screen.lines(), t.screen.text()
        t.run(ENTER, "ran")
        t.wait_for("3")


def test_tabs_and_escapes_in_it_do_nothing():
    with Terminal() as t:
        t.send(paste("1\t2\r\n\x1b[A+ ."))
        t.wait(lambda: t.screen.cursor_line().strip() == "[A+ .", "the second line")
        assert t.screen.line(1) == PROMPT + "1 2", t.screen.text()


def test_into_the_search():
    with Terminal() as t:
        t.enter("1 drop")
        t.enter('"needle" drop')
        t.enter("2 drop")
        t.send(ctrl("r") + paste("need"))
        t.wait_for("search: need")
        t.wait_for_line('"needle" drop')


def test_a_definition_of_200_lines():
    lines = [": long ( x -- y )"] + ["    %d + ! line %d" % (i, i) for i in range(198)] + ["    ;"]
    with Terminal() as t:
        t.send(paste("\n".join(lines)))
        t.wait(lambda: t.screen.cursor_line().strip() == ";", "the end")
        # What does not fit the screen is not lost: the rows around the cursor are shown.
        assert any("! line 197" in line for line in t.screen.lines()), t.screen.text()
        t.send(alt("<"))
        t.wait(lambda: t.screen.cursor_line() == PROMPT + ": long ( x -- y )", "the start")
        t.send(alt(">"))
        t.wait(lambda: t.screen.cursor_line().strip() == ";", "the end")
        t.run(ENTER)
        t.enter("0 long .", "\n%d" % sum(range(198)))
        # One entry of the history, whole.
        t.send(UP + UP)
        t.wait(lambda: t.screen.cursor_line().strip() == ";", "the definition")
        with open(history_file(t.home)) as file:
            entries = file.read().splitlines()
        assert len(entries) == 2 and entries[0].count("\\n") == 199, entries


if __name__ == "__main__":
    main(globals())
