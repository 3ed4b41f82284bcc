"""U1 to U7: the command line, and what is no terminal."""
import json

from support import *


def test_u01_alone_at_a_terminal_it_opens_the_prompt():
    with Terminal() as t:
        lines = t.screen.lines()
        assert len(lines) == 2 and lines[0].startswith("Weft ") and lines[1] == PROMPT.rstrip(), lines
        assert "`help` for help, Ctrl-D to leave" in lines[0], lines[0]
        status, version, _ = run(["--version"])
        assert version.split()[1] in lines[0]


def test_u01_help_says_what_to_type():
    with Terminal(rows=40) as t:
        t.enter("help", "apropos")
        assert "Ctrl-R" in t.screen.text()


def test_u02_ways_to_run_code():
    with Terminal() as t:
        path = os.path.join(t.home, "f.weft")
        with open(path, "w") as file:
            file.write("#!/usr/bin/env weft\nUSING: command-line io namespaces sequences ;\n"
                       'command-line get ", " join print\n')
        assert run([path, "a", "b"]) == (0, "a, b\n", "")
        assert run(["-e", "2 3 + ."]) == (0, "5\n", "")
        assert run(["-"], text="USING: prettyprint ; 7 .") == (0, "7\n", "")
        os.chmod(path, 0o755)
        folder = os.path.dirname(Terminal.weft)
        done = subprocess.run([path, "x"], capture_output=True, text=True, timeout=LIMIT,
                              env=dict(os.environ, PATH=folder + ":" + os.environ["PATH"]))
        assert (done.returncode, done.stdout) == (0, "x\n"), done


def test_u03_help_and_unknown_flags():
    status, out, _ = run(["--help"])
    lines = out.splitlines()
    assert status == 0 and len(lines) <= 40, len(lines)
    flags = [line for line in lines if line.startswith("  -")]
    assert len(flags) > 10
    for line in flags:
        flag = line.split()[0]
        assert ": " in line and flag in line.split(": ", 1)[1], line
    status, out, err = run(["--gc-stres"])
    assert status == 2 and "did you mean --gc-stress?" in err, err
    status, out, err = run(["--zzzzzzzzzz"])
    assert status == 2 and "unknown option --zzzzzzzzzz" in err, err


def test_u04_version():
    status, out, _ = run(["--version"])
    assert status == 0 and len(out.splitlines()) == 1
    status, machine, _ = run(["--version", "--json"])
    assert status == 0 and json.loads(machine)["version"] == out.split()[1]


def test_u05_exit_codes():
    assert "exit codes: 0 done, 1 error, 2 usage, 3 deadlock" in run(["--help"])[1]
    assert run(["-e", "1 drop"])[0] == 0
    assert run(["-e", "1 0 /"])[0] == 1
    assert run(["nosuch.weft"])[0] == 2
    assert run(["-e", "USE: concurrency.mailboxes <mailbox> mailbox-get"])[0] == 3
    assert run(["-e", "USE: system 7 exit"])[0] == 7
    with Terminal("-e", "USE: threads 1,000,000,000,000 sleep", start=False) as t:
        t.wait(lambda: True)
        time.sleep(0.5)
        t.signal(signal.SIGTERM)
        t.wait_for_end(-signal.SIGTERM)
    with Terminal("-e", '"on" print USE: threads 1,000,000,000,000 sleep', start=False) as t:
        t.wait_for("on")
        t.send(ctrl("c"))
        t.wait_for_end(130)


def test_u06_no_colours_and_no_prompt_in_a_pipe():
    status, out, err = run([], text="2 3 +\n1 +\n.\n: x ( -- y )\n5\n;\nx .\n")
    assert (status, out, err) == (0, "6\n5\n", ""), (status, out, err)
    status, out, err = run(["repl"], text="1 0 /\n2 .\n")
    assert status == 1 and out == "2\n" and "Division by zero" in err and "\x1b" not in err, (status, out, err)


def test_u06_head_ends_it_quietly():
    done = subprocess.run(["/bin/sh", "-c", '"%s" -e "USING: sequences prettyprint ; 1,000,000 <iota> [ . ] each" | head -n 2'
                           % Terminal.weft], capture_output=True, text=True, timeout=LIMIT)
    assert (done.stdout, done.stderr) == ("0\n1\n", ""), done


def test_u06_term_dumb():
    with Terminal(TERM="dumb", start=False) as t:
        t.wait_for(PROMPT.rstrip())
        t.send("2 3 +\n")
        t.wait_for("--- Data stack:\n5")
        t.send("[ 1\n")
        t.send("] .\n")
        t.wait_for("[ 1 ]")
        t.send(ctrl("d"))
        t.wait_for_end(0)
        assert b"\x1b" not in t.raw, t.raw


def test_u07_standard_input_is_no_terminal():
    # Output is one, input is not: no codes of the line editor.
    with Terminal(command=["/bin/sh", "-c", 'echo "2 3 + ." | "%s"' % Terminal.weft], start=False) as t:
        t.wait_for_end(0)
        assert t.raw == b"5\r\n", t.raw


def test_programs_of_the_line_read_the_terminal():
    with Terminal() as t:
        t.send('readln "<" ">" surround print' + ENTER)
        t.wait(lambda: not t.is_raw(), "the line to run")
        t.run("typed\n", "<typed>")


def test_what_was_typed_ahead_is_not_lost():
    with Terminal() as t:
        t.send("USE: threads 300,000,000 sleep" + ENTER + "1 2 +" + ENTER)
        t.wait_for("--- Data stack:\n3")


if __name__ == "__main__":
    main(globals())
