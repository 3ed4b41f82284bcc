"""U16 and U17: highlighting as it is typed; U6: no colours where nobody wants them."""
from support import *

UNDERLINED, NUMBER, STRING, COMMENT, MARKED = 4, 35, 32, 3, 7


def styled(text, **environment):
    t = Terminal(**environment)
    t.send(text)
    t.wait(lambda: "".join(t.screen.before_cursor()).endswith(text[-8:]), "the text")
    return t


# What is typed is painted in pieces: a style may come after the text.
def await_style(t, text, style):
    t.wait(lambda: t.screen.style_of(text) == frozenset(style), f"{text} in {sorted(style)}")


def test_u16_kinds_of_tokens():
    with styled('12 "text" no-such-word dup ! comment') as t:
        await_style(t, "12", {NUMBER})
        await_style(t, '"text', {STRING})
        await_style(t, "no-such-word", {UNDERLINED})
        await_style(t, "dup", ())
        t.wait(lambda: COMMENT in t.screen.style_of("! comment"), "the comment")


def test_u16_names_that_the_text_defines_are_known():
    with styled(":: area ( wide high -- n ) wide high * area2 ") as t:
        for name in ("wide high *", "area ("):
            await_style(t, name, ())
        await_style(t, "area2", {UNDERLINED})


def test_u16_short_commands_are_known_where_they_stand_first():
    with styled("trace dup") as t:
        await_style(t, "trace", {36})
    with styled("dup trace") as t:
        await_style(t, "trace", {UNDERLINED})


def test_u16_matching_bracket():
    # Below the line there may be a hint on the bracket, which names brackets, too.
    with styled("[ 1 { 2 } ]") as t:
        def marked(*brackets):
            return all((MARKED in t.screen.style_of(b, row=1)) == (b in brackets) for b in "[{}]")

        t.wait(lambda: marked("[", "]"), "the outer pair")
        t.send(LEFT * 2)
        t.wait(lambda: marked("{", "}"), "the inner pair")


def test_u17_colours_read_on_light_and_dark():
    # Neither black nor white nor yellow nor their bright kin, and no background.
    with styled('12 "text" no-such-word dup : x ( a -- ) ! comment') as t:
        used = {n for row in t.screen.cells for cell in row for n in cell.style}
        assert used <= {1, 2, 3, 4, 7, 31, 32, 34, 35, 36}, used


def test_u06_no_color():
    with styled('12 "text" no-such-word', NO_COLOR="1") as t:
        assert b"m" not in [part[-1:] for part in t.raw.split(b"\x1b[") if b";" in part]
        assert not any(cell.style for row in t.screen.cells for cell in row)


if __name__ == "__main__":
    main(globals())
