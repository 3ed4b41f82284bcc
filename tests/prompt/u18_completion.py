"""U18: completion; U19: the hint."""
from support import *


def test_u18_words_in_scope_with_their_effects():
    with Terminal() as t:
        t.send("1array 2arr" + TAB)
        t.wait_for_line("1array 2array ")
        t.send(ctrl("u") + "reverse" + TAB)
        t.wait_for("reverse!")
        row = next(line for line in t.screen.lines() if line.strip().startswith("reverse!"))
        assert "( seq -- seq )" in row, row
        t.send(TAB + TAB)
        t.wait_for_line("reverse!")
        t.send(SHIFT_TAB)
        t.wait_for_line("reverse")
        t.send(ESCAPE)
        t.wait_for_gone("( seq -- seq )")
        t.wait_for_line("reverse")


def test_u18_enter_takes_the_candidate_and_runs_nothing():
    with Terminal() as t:
        t.send("1 2 swa" + TAB + TAB)
        t.wait(lambda: any(line.startswith("> swap") for line in t.screen.lines()), "a selected candidate")
        t.send(ENTER)
        t.wait_for_line("1 2 swap")
        assert "Data stack" not in t.screen.text()


def test_u18_what_they_begin_with_is_put_in():
    with Terminal() as t:
        t.enter(": zzz-one ( -- ) ; : zzz-two ( -- ) ;")
        t.send("zz" + TAB)
        t.wait_for_line("zzz-")


def test_u18_commands_of_the_prompt():
    with Terminal() as t:
        for typed, line in (("prof", "profile "), (":va", ":vars "), ("bytec", "bytecode ")):
            t.send(ctrl("u") + typed + TAB)
            t.wait_for_line(line)
        t.send(ctrl("u") + "apr" + TAB)
        t.wait_for_line("apropos ")
        t.send(ctrl("u") + "hel" + TAB)
        t.wait_for("NAME")
        t.send(ESCAPE)
        t.wait_for_gone("NAME")
        t.send(ctrl("u"))
        t.enter("vars", "No variable of yours")


def test_u18_vocabularies():
    with Terminal() as t:
        t.send("USE: math.func" + TAB)
        t.wait_for_line("USE: math.functions ")
        t.send(ctrl("u") + "USING: kernel math.const" + TAB)
        t.wait_for_line("USING: kernel math.constants ")


def test_u18_names_of_files():
    with Terminal() as t:
        os.makedirs(os.path.join(t.home, "folder"))
        for name in ("notes.txt", "folder/inner.txt", ".hidden"):
            open(os.path.join(t.home, name), "w").close()
        t.send('"not' + TAB)
        t.wait_for_line('"notes.txt')
        t.send(ctrl("u") + '"fo' + TAB)
        t.wait_for_line('"folder/')
        t.send(TAB)
        t.wait_for_line('"folder/inner.txt')
        t.send(ctrl("u") + '"~/no' + TAB)
        t.wait_for_line('"~/notes.txt')


def test_u18_letters_in_order_are_the_second_choice():
    with Terminal() as t:
        t.enter(": quick-brown-fox ( x -- y ) ;")
        t.send("qbfox" + TAB)
        t.wait_for_line("quick-brown-fox ")


def test_u18_nothing_fits():
    with Terminal() as t:
        t.send("qqxxzz" + TAB + "1")
        t.wait_for_line("qqxxzz1")


def test_u18_many_candidates_are_counted():
    with Terminal() as t:
        t.send("s" + TAB)
        t.wait_for("in all")
        t.wait(lambda: t.screen.cursor_line().startswith(PROMPT + "s"), "the line")


def test_u19_effect_of_the_word_at_the_cursor():
    with Terminal() as t:
        t.send("1 swap")
        t.wait_for("swap  ( x y -- y x )")
        assert 2 in t.screen.style_of("swap  ("), t.screen.style_of("swap  (")  # dim
        t.send(HOME)
        t.wait_for_gone("swap  (")
        t.send(END)
        t.wait_for("swap  ( x y -- y x )")
        t.run(ENTER)
        assert "swap  (" not in t.screen.text(), t.screen.text()


def test_u19_first_sentence_of_its_description():
    with Terminal() as t:
        with open(os.path.join(t.home, "notes.weft"), "w") as file:
            file.write('USING: help.markup help.syntax kernel ;\nIN: notes\n: hum ( -- ) ;\n'
                       'HELP: hum { $description "Hums a tune. Nobody hears it." } ;\n')
        t.enter('"notes.weft" run-file')
        t.enter("USE: notes")
        t.send("hum")
        t.wait_for("Hums a tune.")
        assert "Nobody hears" not in t.screen.text()


if __name__ == "__main__":
    main(globals())
