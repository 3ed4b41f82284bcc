"""U27 to U35 at the prompt: errors, traces, what can be asked after one."""
from support import *


def test_u27_place_line_and_caret():
    with Terminal() as t:
        t.enter("1 2 nosuchword 3", "prompt:1:5: error: No word named \"nosuchword\"")
        lines = t.screen.lines()
        row = lines.index("  1 | 1 2 nosuchword 3")
        assert lines[row + 1].index("^") == lines[row].index("nosuchword")
        t.enter("1 0 / .", "prompt:1:5: error: Division by zero")


def test_u28_branches():
    with Terminal() as t:
        t.enter(": f ( ? -- x ) [ 1 2 ] [ 3 ] if ;", "leave different numbers of values")
        for part in ("Branch 1: ( -- x x )", "Branch 2: ( -- x )"):
            assert part in t.screen.text(), t.screen.text()


def test_u29_underflow():
    with Terminal() as t:
        t.enter("1 +", "Data stack underflow")
        assert "+ ( x y -- z )" in t.screen.text(), t.screen.text()


def test_u30_what_can_be_asked_after_an_error():
    with Terminal(rows=60) as t:
        t.enter(": inner ( x -- y ) 0 / ;")
        t.enter(": outer ( x -- y ) inner 1 + ;")
        t.enter("11 22 outer", "Division by zero")
        text = t.screen.text()
        assert text.index("in  inner") < text.index("in  outer") < text.index("calls of the library; :c"), text
        assert "listener" not in text, text
        assert 1 in t.screen.style_of("in  inner"), "not bright"
        t.enter(":s", ":s\n11\nIN:")
        t.enter(":c", "In the thread Initial (id 0)")
        assert 1 in t.screen.style_of("inner  ") and 1 not in t.screen.style_of("throw  "), t.screen.text()
        t.enter(":r")
        t.enter(":vars")
        t.enter(":error", "Division by zero")


def test_u30_nothing_to_ask_before_an_error():
    with Terminal() as t:
        for command in (":s", ":r", ":c", ":vars"):
            t.enter(command, command + "\nNo error has happened yet\n")


def test_u30_the_thread_that_failed_is_named():
    with Terminal() as t:
        t.enter('USING: threads ; [ 1 0 / ] "Divider" spawn drop yield', "Divider")
        t.enter(":c", "In the thread Divider (id ")


def test_u33_an_error_of_a_sibling_vm():
    with Terminal(rows=40) as t:
        t.enter('USING: vms ; [ 1 0 / ] spawn-vm join-vm', "Division by zero")
        assert "sibling 1" in t.screen.text() and "process" in t.screen.text(), t.screen.text()


def test_u35_errors_of_the_system_name_what_they_are_about():
    with Terminal(columns=120) as t:
        t.enter('USING: io.files io.encodings.utf8 ; "/nosuch/file" utf8 file-contents', "/nosuch/file")
        assert "ENOENT" in t.screen.text() or "No such file" in t.screen.text(), t.screen.text()


def test_the_stack_is_as_before_the_line_that_failed():
    with Terminal() as t:
        t.enter("1 2 3")
        t.enter("drop drop 1 0 /", "Division by zero")
        t.wait_for("--- Data stack:\n1\n2\n3\n" + PROMPT.rstrip())


if __name__ == "__main__":
    main(globals())
