"""U9, U10, U12: entries of several lines."""
from support import *


def test_u09_enter_continues_while_something_is_open():
    for text, rest, shown in [
        ("[ 1 2", "+ ] call .", "3"),
        ("{ 1 2", "3 } .", "{ 1 2 3 }"),
        (": twice ( x -- y )", "2 * ; 21 twice .", "42"),
        ('"two', 'lines" length .', "9"),
        ("/* a comment", "*/ 7 .", "7"),
    ]:
        with Terminal() as t:
            t.send(text + ENTER)
            t.wait(lambda: t.screen.before_cursor().strip() == "" and t.screen.row == 2, "the next line")
            assert t.screen.line(1) == PROMPT + text, t.screen.text()
            t.send(rest + ENTER)
            t.wait(lambda: shown in t.screen.lines(), shown)
            t.wait_for_prompt()


def test_u09_up_and_down_move_inside():
    with Terminal() as t:
        t.send("[ 1" + ENTER + "2" + ENTER + "3 ]")
        t.wait(lambda: t.screen.row == 3, "three lines")
        t.send(UP)
        t.wait(lambda: t.screen.row == 2, "up")
        t.send(UP)
        t.wait(lambda: t.screen.row == 1, "up")
        t.send(END + "0")
        t.wait(lambda: t.screen.line(1) == PROMPT + "[ 10", "the first line changed")
        t.send(DOWN)
        t.wait(lambda: t.screen.row == 2, "down")


def test_u09_only_the_parser_knows_that_more_must_come():
    with Terminal() as t:
        t.send("USE:" + ENTER)
        # What is typed before the editor reads again is echoed by the terminal.
        t.wait(lambda: t.screen.row == 2 and t.raw.count(b"\x1b[?2004h") == 2, "the next line")
        t.send("math.primes.nosuch" + ENTER)
        t.wait_for("Vocabulary does not exist: math.primes.nosuch")
        assert t.screen.lines().count(PROMPT + "USE:") == 1, t.screen.text()


def test_u10_one_item_of_the_history_comes_back_whole():
    with Terminal() as t:
        t.run(": twice ( x -- y )" + ENTER + "2 *" + ENTER + ";" + ENTER)
        t.enter("1 drop")
        t.send(UP)
        t.wait_for_line("1 drop")
        t.send(UP)
        t.wait(lambda: t.screen.cursor_line().strip() == ";", "the last line of the definition")
        lines = t.screen.lines()[-3:]
        assert lines[0] == PROMPT + ": twice ( x -- y )" and lines[1].strip() == "2 *", lines
        t.send(UP + END + BACKSPACE + "+")
        t.run(DOWN + END + ENTER)
        t.enter("4 twice .", "\n6")


def test_u12_what_is_copied_can_be_pasted_back():
    with Terminal() as t:
        t.run("[ 1" + ENTER + "2 ]" + ENTER)
        row = next(line for line in t.screen.lines() if line.endswith("2 ]"))
        assert row.strip() == "2 ]", row  # nothing but blanks before it


if __name__ == "__main__":
    main(globals())
