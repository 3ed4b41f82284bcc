"""U40 and Shows 2: what other threads print does not garble the line that is edited."""
from support import *

TICKER = ('USING: calendar threads math.parser ; '
          ': tick ( -- ) 1,000 <iota> [ number>string "tick " prepend print 10 milliseconds sleep ] each ; '
          '[ tick ] "Ticker" spawn drop')


def whole(t, line):
    """The line stands once, on the cursor's row, and ticks stand on rows of their own."""
    lines = t.screen.lines()
    ticks = [text for text in lines if "tick" in text
             and not any(part in text for part in ("Ticker", ": tick", "number>string"))]
    return (t.screen.cursor_line() == PROMPT + line and lines.count(PROMPT + line) == 1
            and all(text.startswith("tick ") and text[5:].isdigit() for text in ticks))


def test_a_thread_prints_while_a_line_is_edited():
    with Terminal() as t:
        t.run(TICKER + ENTER, "tick 3")
        typed = ""
        for ch in "1 2 3 + swap { 4 5 }":
            t.send(ch)
            typed += ch
            t.wait(lambda: t.screen.cursor_line() == (PROMPT + typed).rstrip(), "the line so far")
            assert whole(t, typed.rstrip()) or ch == " ", t.screen.text()
        # An ESC is pending, then a completion is open; at every output the line must be whole.
        t.send(ESCAPE)
        seen = t.raw.count(b"tick ")
        t.wait(lambda: t.raw.count(b"tick ") > seen + 10, "more ticks")
        t.wait(lambda: whole(t, typed), "a whole line")
        t.send(" appe" + TAB)
        t.wait_for("append-as")
        seen = t.raw.count(b"tick ")
        t.wait(lambda: t.raw.count(b"tick ") > seen + 20, "more ticks")
        t.wait(lambda: t.screen.cursor_line() == PROMPT + typed + " append", "the line with its completion")
        t.wait(lambda: sum("append-as" in line for line in t.screen.lines()) == 1, "one list")
        t.send(ESCAPE)
        t.wait_for_gone("append-as")
        t.send(BACKSPACE * 5)
        t.wait(lambda: whole(t, typed), "a whole line")
        # In order, none lost.
        numbers = [int(line[5:]) for line in t.screen.everything().splitlines()
                   if line.startswith("tick ") and line[5:].isdigit()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
        t.run(ENTER, "--- Data stack:")
        assert not t.screen.unknown, t.screen.unknown


def test_text_without_a_line_end_goes_on_where_it_was():
    with Terminal() as t:
        t.enter('USING: threads ; [ "one " write flush 100 [ yield ] times "two" write flush '
                '100 [ yield ] times " three" print ] "Writer" spawn drop')
        t.send("1 2")
        t.wait_for("one two three")
        t.wait_for_line("1 2")
        assert sum("one two" in line and "write" not in line for line in t.screen.lines()) == 1, t.screen.text()


def test_siblings_and_forked_children_print_above_the_line():
    with Terminal(columns=100) as t:
        t.enter("USING: vms vms.fork threads calendar ;")
        t.enter("[ 20 [ \"sibling here\" print 5 milliseconds sleep ] times 1 0 / ] spawn-vm drop")
        t.send("1 2")
        t.wait_for("Division by zero")
        t.wait_for_line("1 2")
        assert t.screen.lines().count("sibling here") == 20 - t.screen.scrolled.count("sibling here"), t.screen.text()
        t.enter(" 2drop")
        t.enter('7 [ "in the child" print 1 + ] fork-map .', "\n8\n")
        t.enter('[ f [ drop 10 [ "forked" print 5 milliseconds sleep ] times f ] fork-map drop "end" print ] "F" spawn drop')
        t.send("3 4")
        t.wait_for("\nend\n")
        t.wait_for_line("3 4")
        assert (t.screen.lines() + t.screen.scrolled).count("forked") == 10, t.screen.text()


def test_u32_an_error_of_a_thread_says_which_and_where():
    with Terminal() as t:
        t.send("1 2")
        t.wait_for_line("1 2")
        t.enter(' drop drop USING: threads ; [ 10 [ yield ] times 1 0 / ] "Divider" spawn drop')
        t.send("3 4")
        t.wait_for("Division by zero")
        t.wait_for_line("3 4")
        assert "Divider" in t.screen.text() and "prompt:1:" in t.screen.text(), t.screen.text()


if __name__ == "__main__":
    main(globals())
