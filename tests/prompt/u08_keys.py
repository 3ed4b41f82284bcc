"""U8: arrow keys, Home and End, motions over words, cutting and putting back, undo."""
from support import *


def test_arrows_insert_where_the_cursor_is():
    with Terminal() as t:
        t.send("2 3 +" + LEFT * 2)
        t.wait_for_line("2 3 +", 3)
        t.send("4")
        t.wait_for_line("2 34 +", 4)
        t.send(RIGHT + DELETE + "*")
        t.wait_for_line("2 34 *", 6)
        t.send(ENTER)
        t.wait_for("68")


def test_home_end_and_words():
    with Terminal() as t:
        t.send("one two three")
        t.send(HOME)
        t.wait_for_line("one two three", 0)
        t.send(WORD_RIGHT)
        t.wait_for_line("one two three", 3)
        t.send(alt("f"))
        t.wait_for_line("one two three", 7)
        t.send(alt("b"))
        t.wait_for_line("one two three", 4)
        t.send(END + WORD_LEFT)
        t.wait_for_line("one two three", 8)
        t.send(ctrl("a") + ctrl("f") + ctrl("f") + ctrl("b"))
        t.wait_for_line("one two three", 1)
        t.send(ctrl("e"))
        t.wait_for_line("one two three", 13)


def test_backspace_and_delete():
    with Terminal() as t:
        t.send("abcd" + BACKSPACE)
        t.wait_for_line("abc")
        t.send(HOME + DELETE)
        t.wait_for_line("bc", 0)
        t.send(ctrl("d"))
        t.wait_for_line("c", 0)
        t.send(BACKSPACE)
        t.wait_for_line("c", 0)


def test_cut_and_put_back():
    with Terminal() as t:
        t.send("one two three" + ctrl("w"))
        t.wait_for_line("one two ")
        t.send(ctrl("y") + ctrl("y"))
        t.wait_for_line("one two threethree")
        t.send(ctrl("u"))
        t.wait_for_line("")
        t.send("x " + ctrl("y"))
        t.wait_for_line("x one two threethree")
        t.send(alt("y"))
        t.wait_for_line("x three")
        t.send(HOME + ctrl("k"))
        t.wait_for_line("")
        t.send(ctrl("y"))
        t.wait_for_line("x three")
        t.send(HOME + alt("d"))
        t.wait_for_line(" three", 0)


def test_cuts_in_a_row_are_one():
    with Terminal() as t:
        t.send("one two three" + ctrl("w") + ctrl("w"))
        t.wait_for_line("one ")
        t.send(ctrl("y"))
        t.wait_for_line("one two three")


def test_undo_word_by_word_and_back():
    with Terminal() as t:
        t.send("one two" + ctrl("_"))
        t.wait_for_line("one ")
        t.send(ctrl("_"))
        t.wait_for_line("one")
        t.send(ctrl("_"))
        t.wait_for_line("")
        t.send(alt("_") * 3)
        t.wait_for_line("one two")


def test_transpose_and_clear_screen():
    with Terminal() as t:
        t.send("12 +" + HOME + RIGHT + ctrl("t"))
        t.wait_for_line("21 +", 2)
        t.send(ctrl("l"))
        t.wait(lambda: t.screen.row == 0, "the line at the top")
        t.wait_for_line("21 +", 2)


def test_ctrl_c_gives_the_line_up():
    with Terminal() as t:
        t.send("1 2 3")
        t.wait_for_line("1 2 3")
        t.send(ctrl("c"))
        t.wait_for_prompt()
        t.enter("4 .", "\n4")
        assert "Data stack" not in t.screen.text(), t.screen.text()


def test_a_lone_escape_holds_nothing_up():
    with Terminal() as t:
        t.send("1 2" + ESCAPE)
        t.wait_for_line("1 2")
        t.send(" +")
        t.wait_for_line("1 2 +")
        t.send(ENTER)
        t.wait_for("3")


def test_ctrl_d_leaves():
    with Terminal() as t:
        t.leave(0)
        assert not t.is_raw()


if __name__ == "__main__":
    main(globals())
