"""U15: long lines, resizing, wide and combining characters; 40 columns."""
from support import *


def cursor_after(text, columns=80):
    """Row (from the prompt's) and column where the cursor belongs; a row holds one column less than there are."""
    from screen import width
    row, column = 0, len(PROMPT)
    joined = False
    for ch in text:
        size = 0 if joined else width(ch)
        joined = ch == "\u200d"
        if column + size > columns - 1:
            row, column = row + 1, 0
        column += size
    return row, column


def check(text, columns=80):
    with Terminal(columns=columns) as t:
        top = t.screen.row
        t.send(text)
        row, column = cursor_after(text, columns)
        t.wait(lambda: (t.screen.row, t.screen.column) == (top + row, column), "cursor at %d, %d" % (row, column))
        # Where the cursor is what is typed goes: an x before the last character.
        t.send(LEFT + "x")
        t.wait(lambda: "x" in "".join(t.screen.lines()), "an x")
        shown = "".join(line for line in t.screen.lines()[top:])
        t.send(END)
        assert not t.screen.unknown, t.screen.unknown
        return shown


def test_longer_than_the_terminal():
    text = '"' + "abcdefghij" * 20 + '"'
    assert check(text).startswith(PROMPT + text[:-1] + "x")


def test_wide_characters():
    assert '"日本語文x字' in check('"日本語文字')


def test_wide_characters_at_the_edge():
    for blanks in range(20, 25):
        check('"' + "a" * blanks + "日本語", columns=40 + len(PROMPT) % 2)


def test_combining_characters():
    assert '"cafe\u0301 e\u0301\u0323x' not in check('"cafe\u0301 e\u0301\u0323')  # not between letter and mark
    assert '"cafe\u0301 xe\u0301\u0323' in check('"cafe\u0301 e\u0301\u0323')


def test_emoji():
    check('"\U0001f600\U0001f680 a')
    # One person made of several: the cursor passes it in one step.
    assert '"x\U0001f468\u200d\U0001f469\u200d\U0001f467' in check('"\U0001f468\u200d\U0001f469\u200d\U0001f467')


def test_forty_columns():
    with Terminal(columns=40) as t:
        t.enter('{ 1 2 3 } [ 10 * ] map dup [ . ] each "wide enough" print', "wide enough")
        assert not t.screen.unknown, t.screen.unknown
        t.enter("drop")
        t.send("app" + TAB)
        t.wait_for("append")
        assert all(len(line) <= 40 for line in t.screen.lines())
        t.send(ESCAPE + ctrl("c"))


def test_resizing_keeps_the_line_whole():
    text = '"' + "abcdefghij" * 10 + '"'
    with Terminal() as t:
        t.enter("1 drop")
        t.send(text)
        t.wait(lambda: "".join(t.screen.lines()).endswith(text), "the line")
        t.resize(24, 60)
        t.wait(lambda: (PROMPT + text)[:59] in t.screen.lines(), "rows of 59")
        t.wait(lambda: "".join(t.screen.lines()).endswith(PROMPT + text), "the line")
        t.resize(24, 100)
        t.wait(lambda: (PROMPT + text)[:99] in t.screen.lines(), "rows of 99")
        assert PROMPT + "1 drop" in t.screen.lines(), t.screen.text()
        assert "".join(t.screen.lines()).count("abcdefghij") == 10, t.screen.text()
        t.run(" length ." + ENTER, "\n100")


def test_a_small_screen():
    with Terminal(rows=5, columns=30) as t:
        t.send("[ 1" + ENTER + "2" + ENTER + "3" + ENTER + "4" + ENTER + "5" + ENTER + "+ ] call .")
        t.wait(lambda: t.screen.cursor_line().strip() == "+ ] call .", "the last line")
        t.send(UP * 5)
        t.wait(lambda: t.screen.cursor_line().startswith("IN: "), "the first line")
        t.send(DOWN * 5 + END)
        t.wait(lambda: t.screen.cursor_line().strip() == "+ ] call .", "the last line")
        t.run(ENTER)
        assert "9" in t.screen.everything().splitlines(), t.screen.everything()


if __name__ == "__main__":
    main(globals())
