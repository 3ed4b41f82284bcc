"""U13: the file of the history."""
from support import *


def entries(home):
    with open(history_file(home)) as file:
        return file.read().splitlines()


def test_kept_between_sessions():
    with Terminal() as first:
        first.enter("1 drop")
        first.enter('"a\\\\b" drop')
        first.leave()
        with Terminal(home=first.home) as second:
            second.send(UP)
            second.wait_for_line('"a\\\\b" drop')
            second.send(UP)
            second.wait_for_line("1 drop")


def test_in_the_state_folder_or_below_home():
    with Terminal(XDG_STATE_HOME=None) as t:
        t.enter("1 drop")
        path = os.path.join(t.home, ".local/state/weft/history")
        assert os.stat(path).st_mode & 0o777 == 0o600, oct(os.stat(path).st_mode)


def test_no_repeats_in_a_row_and_no_leading_space():
    with Terminal() as t:
        t.enter("1 drop")
        t.enter("1 drop")
        t.enter(" 2 drop")
        t.enter("3 drop")
        t.enter("1 drop")
        assert entries(t.home) == ["1 drop", "3 drop", "1 drop"], entries(t.home)


def test_what_fails_is_kept_too():
    with Terminal() as t:
        t.enter("no-such-word", "No word named")
        t.enter("1 0 /", "Division by zero")
        assert entries(t.home) == ["no-such-word", "1 0 /"], entries(t.home)


def test_two_at_once():
    with Terminal() as one, Terminal(home=one.home) as two:
        for i in range(3):
            one.enter("1%d drop" % i)
            two.enter("2%d drop" % i)
        assert sorted(entries(one.home)) == ["10 drop", "11 drop", "12 drop", "20 drop", "21 drop", "22 drop"]
        with Terminal(home=one.home) as three:
            three.send(UP)
            three.wait_for_line("22 drop")


def test_survives_kill_9():
    with Terminal() as t:
        t.enter("1 drop")
        t.send("never entered")
        t.wait_for_line("never entered")
        t.signal(signal.SIGKILL)
        t.wait_for_end(-signal.SIGKILL)
        with Terminal(home=t.home) as again:
            again.send(UP)
            again.wait_for_line("1 drop")


def test_many_entries():
    with Terminal(start=False) as t:
        os.makedirs(os.path.dirname(history_file(t.home)), exist_ok=True)
        with open(history_file(t.home), "w") as file:
            file.writelines("%d drop\n" % i for i in range(20500))
        t.wait_for_prompt()
        t.send(UP)
        t.wait_for_line("20499 drop")
        t.enter(BACKSPACE * 20 + "0 drop")
        kept = entries(t.home)
        assert kept[-2:] == ["20499 drop", "0 drop"] and len(kept) == 10001, (len(kept), kept[-2:])


def test_nowhere_to_write():
    with Terminal(XDG_STATE_HOME="/proc/nowhere") as t:
        t.enter("1 drop")
        t.enter("2 drop")
        t.send(UP + UP)
        t.wait_for_line("1 drop")
    with Terminal(XDG_STATE_HOME=None, HOME=None) as t:
        t.enter("1 drop")
        t.send(UP)
        t.wait_for_line("1 drop")


def test_u14_search_backwards():
    with Terminal() as t:
        for line in ("11 sq drop", "22 neg drop", "33 sq drop", "44 drop"):
            t.enter(line)
        t.send("draft" + ctrl("r") + "sq")
        t.wait_for_line("33 sq drop")
        t.wait_for("search: sq")
        t.send(ctrl("r"))
        t.wait_for_line("11 sq drop")
        t.send(ctrl("s"))
        t.wait_for_line("33 sq drop")
        t.send(BACKSPACE * 2 + "neg")
        t.wait_for_line("22 neg drop")
        t.send("xyz")
        t.wait_for("no entry with: negxyz")
        t.send(ctrl("g"))
        t.wait_for_line("draft")
        t.send(ctrl("u") + ctrl("r") + "44")
        t.wait_for_line("44 drop")
        t.run(ENTER)
        t.send(ctrl("r") + "neg")
        t.wait_for_line("22 neg drop")
        t.send(HOME + "5")
        t.wait_for_line("522 neg drop", 1)


def test_u56_files_that_are_no_history():
    def folder(path):
        os.mkdir(path)

    def file_in_its_place(path):
        os.rmdir(os.path.dirname(path))
        open(os.path.dirname(path), "w").close()

    kinds = {
        "folder": folder,
        "pipe": os.mkfifo,
        "full disk": lambda path: os.symlink("/dev/full", path),
        "circle": lambda path: os.symlink(path, path),
        "file as folder": file_in_its_place,
    }
    for make in kinds.values():
        with tempfile.TemporaryDirectory() as home:
            os.makedirs(os.path.dirname(history_file(home)))
            make(history_file(home))
            with Terminal(home=home) as t:
                t.enter("1 2 + .", "3")
                t.send(UP)
                t.wait_for_line("1 2 + .")
                t.send(ctrl("u"))
                t.leave()


def test_u56_homes_that_take_no_file():
    for home in ("/proc", "/dev/null", "", "no/such/folder"):
        with Terminal(XDG_STATE_HOME=None, HOME=home) as t:
            t.enter("1 2 + .", "3")
            t.send(UP)
            t.wait_for_line("1 2 + .")
            t.send(ctrl("u"))
            t.leave()


def test_u14_up_looks_for_what_begins_so():
    with Terminal() as t:
        for line in ("11 drop", "12 drop", "21 drop"):
            t.enter(line)
        t.send("1" + UP)
        t.wait_for_line("12 drop")
        t.send(UP)
        t.wait_for_line("11 drop")
        t.send(DOWN)
        t.wait_for_line("12 drop")
        t.send(DOWN)
        t.wait_for_line("1")


if __name__ == "__main__":
    main(globals())
