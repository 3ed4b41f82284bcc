"""U44: the step debugger in the terminal."""
from support import *

DEBUG = "debug> "


def command(t, text, expect):
    """A command; until the debugger asks again or the prompt is back."""
    prompts = t.raw.count(b"\x1b[?2004h")
    t.send(text + ENTER)
    t.wait(lambda: t.raw.count(b"\x1b[?2004h") > prompts and
           t.screen.before_cursor() in (DEBUG, PROMPT), "an answer")
    for part in [expect] if isinstance(expect, str) else expect:
        assert part in t.screen.text(), part + "\n---\n" + t.screen.text()


def last_stop(t):
    """Place, source line, caret's column, and the data stack of the last stop."""
    lines = t.screen.lines()
    start = max(i for i, line in enumerate(lines) if line.startswith("prompt:") and "  in " in line)
    number, text = lines[start + 1].split(" | ", 1)
    token = text[lines[start + 2].index("^") - len(number) - 3:].split(" ")[0]
    rest = lines[start + 3:-1]
    stack = rest[1:] if rest and rest[0] == "--- Data stack:" else []
    return lines[start].split("  in ")[1], token, stack


def test_break_and_step():
    with Terminal(rows=40) as t:
        t.enter(": area ( x -- y ) 2 * break 3 + dup . ;")
        t.send("4 area" + ENTER)
        t.wait_for_prompt(DEBUG)
        assert last_stop(t) == ("area", "3", ["8"]), last_stop(t)
        command(t, "step", DEBUG.rstrip())
        assert last_stop(t) == ("area", "+", ["8", "3"]), last_stop(t)
        command(t, "", DEBUG.rstrip())  # Enter alone is a step
        assert last_stop(t) == ("area", "dup", ["11"]), last_stop(t)
        command(t, "continue", "--- Data stack:\n11\n" + PROMPT.rstrip())


def test_into_and_out():
    with Terminal(rows=60) as t:
        t.enter(": inner ( x -- y ) 10 + 1 - ;")
        t.enter(": outer ( x -- y ) break inner 2 * ;")
        t.send("4 outer" + ENTER)
        t.wait_for_prompt(DEBUG)
        assert last_stop(t) == ("outer", "inner", ["4"]), last_stop(t)
        command(t, "into", DEBUG.rstrip())
        assert last_stop(t) == ("inner", "10", ["4"]), last_stop(t)
        command(t, "step", DEBUG.rstrip())
        assert last_stop(t) == ("inner", "+", ["4", "10"]), last_stop(t)
        command(t, "calls", "in  inner  prompt:1")
        assert "in  outer  prompt:1" in t.screen.text()
        command(t, "out", DEBUG.rstrip())
        assert last_stop(t) == ("outer", "2", ["13"]), last_stop(t)
        command(t, "continue", "26")


def test_a_step_passes_over_a_word_and_into_the_words_own_quotations():
    with Terminal(rows=60) as t:
        t.enter(": inner ( x -- y ) 10 + ;")
        t.enter(": outer ( x -- y ) break inner dup 5 > [ 100 + ] [ 1 + ] if 2 * ;")
        t.send("4 outer" + ENTER)
        t.wait_for_prompt(DEBUG)
        seen = []
        for _ in range(12):
            seen.append(last_stop(t)[1])
            if seen[-1] == "*":
                break
            command(t, "step", DEBUG.rstrip())
        assert seen[0] == "inner" and seen[1] == "dup" and "100" in seen and "1" not in seen, seen
        assert "10" not in seen, seen
        command(t, "continue", "228")


def test_locals_and_words_with_quotations():
    with Terminal(rows=60) as t:
        t.enter(":: sums ( seq -- n ) break 0 seq [ 3 * + ] each ;")
        t.send("{ 1 2 } sums" + ENTER)
        t.wait_for_prompt(DEBUG)
        tokens = []
        for _ in range(20):
            tokens.append(last_stop(t)[1])
            prompts = t.raw.count(b"\x1b[?2004h")
            t.send("into" + ENTER)
            t.wait(lambda: t.raw.count(b"\x1b[?2004h") > prompts and
                   t.screen.before_cursor() in (DEBUG, PROMPT), "an answer")
            if t.screen.before_cursor() == PROMPT:
                break
        assert tokens.count("*") == 2 and tokens.count("+") == 2, tokens
        t.wait_for("--- Data stack:\n9")


def test_values_can_be_looked_at_and_the_run_given_up():
    with Terminal(rows=40) as t:
        t.enter("77")
        t.send('{ 1 2 } break "x" drop drop' + ENTER)
        t.wait_for_prompt(DEBUG)
        command(t, "dup length 40 +", "42")
        command(t, "nosuchword", 'No word named "nosuchword"')
        command(t, "help", "into the word that is called next")
        command(t, "abort", "given up")
        t.wait_for("--- Data stack:\n77\n" + PROMPT.rstrip())
        t.enter("1 + .", "78")


def test_compiled_code_comes_back():
    with Terminal(rows=40) as t:
        t.enter("USE: words.private : quick ( -- n ) 1 2 + ;")
        t.enter("\\ quick word-mode .", "0")
        t.send("break quick" + ENTER)
        t.wait_for_prompt(DEBUG)
        command(t, "\\ quick word-mode 100 +", "103")  # until its next call
        command(t, "continue", "3")
        t.enter("\\ quick word-mode 200 + .", "200")


def test_one_thread_while_others_run_or_are_held():
    with Terminal(rows=60) as t:
        t.enter("USING: threads calendar ; SYMBOL: count 0 count set-global")
        t.enter(': busy ( -- ) [ count [ 1 + ] change-global yield t ] loop ; [ busy ] "Busy" spawn drop')
        t.enter(': work ( -- ) 1 2 break + 3 * . ; [ work ] "Worker" spawn drop', "Worker has stopped")
        # The prompt goes on, and so does the other thread.
        t.enter("count get-global 1 milliseconds sleep count get-global < .", "\nt")
        prompts = t.raw.count(b"\x1b[?2004h")
        t.send("debug" + ENTER)
        t.wait(lambda: t.screen.before_cursor() == DEBUG, "the debugger")
        assert last_stop(t) == ("work", "+", ["1", "2"]), last_stop(t)
        command(t, "count get-global 1 milliseconds sleep count get-global < 1 0 ? 500 +", "501")
        command(t, "hold", DEBUG.rstrip())
        command(t, "10 milliseconds sleep count get-global 10 milliseconds sleep count get-global = 1 0 ? 600 +", "601")
        command(t, "step", DEBUG.rstrip())
        assert last_stop(t) == ("work", "3", ["3"]), last_stop(t)
        command(t, "release", DEBUG.rstrip())
        command(t, "count get-global 1 milliseconds sleep count get-global < 1 0 ? 700 +", "701")
        command(t, "continue", "")
        t.wait_for("\n9\n")
        t.wait_for_prompt()


def test_two_threads_stop_at_once():
    with Terminal(rows=60) as t:
        t.enter("USING: threads words.private ; : quick ( -- n ) 1 2 + ;")
        t.send('[ 11 break 4 + . ] "A" spawn drop [ 22 break 4 + . ] "B" spawn drop yield' + ENTER)
        t.wait_for("The thread A has stopped")
        t.wait_for("The thread B has stopped")
        t.wait_for_prompt()
        found = set()
        for _ in range(2):
            command(t, "debug", DEBUG.rstrip())
            found.add(last_stop(t)[2][0])
            command(t, "step", DEBUG.rstrip())
            command(t, "step", DEBUG.rstrip())
            command(t, "step", "The thread has ended")
        assert found == {"11", "22"}, found
        assert "15" in t.screen.text() and "26" in t.screen.text(), t.screen.text()
        command(t, "debug", "No thread has stopped")
        t.enter("\\ quick word-mode 200 + .", "200")  # nothing is slowed down any more


def test_a_thread_that_stops_stays_slow_while_lines_end():
    with Terminal(rows=60) as t:
        t.enter("USING: threads words.private ; : quick ( -- n ) 1 2 + ;")
        t.enter('[ 11 break quick . . ] "A" spawn drop', "The thread A has stopped")
        for _ in range(3):
            t.enter("1 drop")
        t.enter("\\ quick word-mode 100 + .", "103")
        command(t, "debug", DEBUG.rstrip())
        command(t, "into", DEBUG.rstrip())
        assert last_stop(t)[:2] == ("quick", "1"), last_stop(t)
        command(t, "continue", "")
        t.wait_for("\n11\n")
        t.enter("\\ quick word-mode 200 + .", "200")


def test_an_error_in_what_is_stepped():
    with Terminal(rows=60) as t:
        t.enter(": bad ( -- ) 77 break 0 /i . ;")
        t.send("bad" + ENTER)
        t.wait_for_prompt(DEBUG)
        command(t, "step", DEBUG.rstrip())
        command(t, "step", "prompt:1:25: error: Division by zero")
        t.wait_for_prompt()
        t.enter(": caught ( -- ) break [ 1 0 /i . ] [ drop 7 ] recover 1 + . ;")
        t.send("caught" + ENTER)
        t.wait_for_prompt(DEBUG)
        tokens = []
        while t.screen.before_cursor() == DEBUG:
            tokens.append(last_stop(t)[1])
            command(t, "step", "")
        assert "drop" in tokens and "+" in tokens, tokens
        t.wait_for("\n8\n")


def test_a_word_that_redefines_itself():
    with Terminal(rows=60) as t:
        t.enter('USE: eval : self ( -- ) break "USE: prettyprint IN: scratchpad : self ( -- ) 22 . ;" eval( -- ) 33 . ;')
        t.send("self" + ENTER)
        t.wait_for_prompt(DEBUG)
        for _ in range(4):
            command(t, "step", "")
        t.wait_for("\n33\n")
        t.enter("self", "\n22\n")


def test_past_the_end_and_out_of_the_line():
    with Terminal(rows=60) as t:
        t.send("1 break 2 + ." + ENTER)
        t.wait_for_prompt(DEBUG)
        command(t, "out", "3\n" + PROMPT.rstrip())
        t.send("break 5 ." + ENTER)
        t.wait_for_prompt(DEBUG)
        command(t, "step", DEBUG.rstrip())
        command(t, "step", "5\n" + PROMPT.rstrip())
        t.send("break break 6 ." + ENTER)
        t.wait_for_prompt(DEBUG)
        command(t, "continue", "")
        while t.screen.before_cursor() == DEBUG:
            command(t, "continue", "")
        t.wait_for("\n6\n")


def test_interrupts_at_the_debugger():
    with Terminal(rows=60) as t:
        t.enter("77")
        t.send("5 break drop" + ENTER)
        t.wait_for_prompt(DEBUG)
        t.send("step" + ctrl("c"))  # the command is not run
        t.wait(lambda: t.screen.cursor_line() == DEBUG.rstrip(), "an empty line")
        command(t, "7 8 + 100 +", "115")
        t.send(ctrl("d"))
        t.wait_for("given up")
        t.wait_for_prompt()
        t.send("break [ t ] loop" + ENTER)
        t.wait_for_prompt(DEBUG)
        t.send("continue" + ENTER)
        t.wait(lambda: not t.is_raw(), "the loop")
        t.signal(signal.SIGINT)
        t.wait_for("Interrupted")
        t.wait_for_prompt()
        t.enter("1 + .", "78")


def test_breakpoint_on_a_word():
    with Terminal(rows=40) as t:
        t.enter(": twice ( x -- y ) 2 * ;")
        t.enter("\\ twice breakpoint")
        t.send("21 twice" + ENTER)
        t.wait_for_prompt(DEBUG)
        assert last_stop(t) == ("twice", "2", ["21"]), last_stop(t)
        command(t, "continue", "42")
        t.enter("\\ twice reset 5 twice .", "10")


def test_without_colours_or_keys():
    with Terminal(TERM="dumb", rows=40, start=False) as t:
        t.wait_for(PROMPT.rstrip())
        t.send(": area ( x -- y ) 2 * break 3 + ;\n")
        t.send("4 area\n")
        t.wait_for(DEBUG.rstrip())
        t.send("step\n")
        t.wait_for("--- Data stack:\n8\n3")
        t.send("continue\n")
        t.wait_for("--- Data stack:\n11")


if __name__ == "__main__":
    main(globals())
