"""U37: Ctrl-C; U39: Ctrl-\\; the terminal is left as it was found, whatever ends the program."""
import tempfile

from support import *


def test_stops_endless_loops_and_keeps_the_stack():
    for loop in ("[ t ] loop", "1 [ dup 0 > ] [ 1 + ] while", "[ 1 drop t ] loop"):
        with Terminal() as t:
            t.enter("11 22")
            t.send("33 " + loop + ENTER)
            t.wait(lambda: not t.is_raw(), "the line to run")
            t.send(ctrl("c"))
            t.wait_for("Interrupted")
            t.wait_for_prompt()
            t.wait_for("--- Data stack:\n11\n22\n" + PROMPT.rstrip())


def test_stops_a_sort_and_a_wait():
    with Terminal() as t:
        t.enter("1 drop")
        for line in ("[ 1,000,000 <iota> reverse [ <=> ] sort-with drop t ] loop", "USE: threads 1,000,000,000,000 sleep",
                     "readln drop"):
            t.send(line + ENTER)
            t.wait(lambda: not t.is_raw(), "the line to run")
            before = t.raw.count(b"Interrupted")
            t.send(ctrl("c"))
            t.wait(lambda: t.raw.count(b"Interrupted") > before, "an interruption")
            t.wait_for_prompt()


def test_twice_breaks_into_the_debugger():
    # The loop catches what it can, the first Ctrl-C as well.
    with Terminal() as t:
        t.enter("5")
        t.send('"it " "runs" append print flush [ [ [ t ] loop ] [ drop ] recover t ] loop' + ENTER)
        t.wait_for("it runs")
        for _ in range(20):
            t.send(ctrl("c"))
            time.sleep(0.3)  # two of them within a second, each seen by itself
            t.pump(0)
            if "debug>" in t.screen.text():
                break
        t.wait_for_prompt("debug> ")
        t.run("abort" + ENTER, "given up")
        t.enter("clear 6 .", "6")


def test_sigint_from_elsewhere_is_ctrl_c():
    with Terminal() as t:
        t.send("1 2")
        t.wait_for_line("1 2")
        t.signal(signal.SIGINT)
        t.wait_for_prompt()


def test_u39_dump_of_all_threads_while_a_line_is_edited():
    with Terminal() as t:
        t.enter('USE: threads [ 1,000,000,000,000 sleep ] "Sleeper" spawn drop')
        t.send("1 2" + ctrl("\\"))
        t.wait_for("Sleeper")
        t.wait(lambda: any("Initial" in line for line in t.screen.lines()), "the main thread")
        t.wait_for_line("1 2")


def test_u39_dump_while_a_line_runs():
    with Terminal() as t:
        t.send("USE: threads 1,000,000,000,000 sleep" + ENTER)
        t.wait(lambda: not t.is_raw(), "the line to run")
        t.send(ctrl("\\"))
        t.wait_for("Initial")
        t.send(ctrl("c"))
        t.wait_for_prompt()


SIBLINGS = """USING: calendar io kernel math sequences threads vms ;
IN: siblings
: work ( -- ) [ "a whole line of a sibling" print flush 5 milliseconds sleep t ] loop ;
3 [ [ work ] spawn-vm ] replicate "ready" print flush 1000 seconds sleep drop
"""


def children_of(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(child) for child in file.read().split()]


def test_u38_ctrl_c_ends_a_script_and_its_siblings():
    with tempfile.NamedTemporaryFile("w", suffix=".weft") as file:
        file.write(SIBLINGS)
        file.flush()
        with Terminal(file.name, start=False, columns=200) as t:
            t.wait(lambda: t.raw.count(b"a whole line of a sibling") > 30, "lines of siblings")
            children = children_of(t.process.pid)
            assert len(children) == 3, children
            t.send(ctrl("c"))
            t.wait_for_end(130)
            deadline = time.monotonic() + LIMIT
            while any(os.path.exists("/proc/%d" % child) for child in children):
                assert time.monotonic() < deadline, "a sibling is left"
            lines = t.raw.decode().replace("^C", "").split("\r\n")
            whole = [line for line in lines if "sibling" in line and "spawn-vm" not in line
                     and "error" not in line]
            assert set(whole) == {"a whole line of a sibling"}, set(whole)
            assert sum("Interrupted" in line for line in lines) == 1, lines[-6:]


def test_the_mode_of_the_terminal_comes_back():
    for number, status in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP),
                           (signal.SIGABRT, 134), (signal.SIGSEGV, 134)):
        with Terminal() as t:
            t.send("1 2")
            t.wait_for_line("1 2")
            assert t.is_raw()
            t.signal(number)
            deadline = time.monotonic() + 3
            while t.process.poll() is None and time.monotonic() < deadline:
                t.pump(0.05)
            assert status is None or t.process.returncode == status, t.process.returncode
            assert t.mode()[3] == t.before[3] and t.mode()[0] == t.before[0], number
            while t.pump(0.1):
                pass
            assert 2004 not in t.screen.modes
    with Terminal() as t:
        t.send("USE: system 3 exit" + ENTER)
        t.wait_for_end(3)
        assert t.mode()[3] == t.before[3]


def test_suspended_and_continued():
    with Terminal() as t:
        t.send("1 2")
        t.wait_for_line("1 2")
        t.send(ctrl("z"))
        deadline = time.monotonic() + 3
        stopped = False
        while not stopped and time.monotonic() < deadline:
            t.pump(0.05)
            with open("/proc/%d/stat" % t.process.pid) as file:
                stopped = file.read().rsplit(")", 1)[1].split()[0] == "T"
        # A session of its own has nobody to continue it: then Ctrl-Z is not obeyed, the line goes on.
        if stopped:
            assert not t.is_raw()
            t.signal(signal.SIGCONT)
        t.send(" +")
        t.wait_for_line("1 2 +")


def test_a_terminal_that_goes_away_ends_it():
    # Even where SIGHUP is ignored it does not spin.
    with Terminal(command=["/bin/sh", "-c", 'trap "" HUP; exec "%s"' % Terminal.weft]) as t:
        t.send("1 2")
        t.wait_for_line("1 2")
        os.close(t.master)
        os.close(t.slave)
        t.master = t.slave = os.open("/dev/null", os.O_RDWR)
        t.slave = os.open("/dev/null", os.O_RDWR)
        t.process.wait(LIMIT)


if __name__ == "__main__":
    main(globals())
