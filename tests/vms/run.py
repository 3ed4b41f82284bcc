#!/usr/bin/env python3
"""Sibling VMs seen from outside: processes, descriptors, signals, ways to start a program.

    run.py --weft PATH [NAME...]

Each test is a function below whose name begins with test_; it runs the real binary. Prints a line per
test and "N passed, N failed"; the exit status is 1 if one failed.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback

WEFT = None
FOLDER = None  # of the scripts
PATIENCE = 120  # seconds; a machine under load may be slow, but nothing hangs for ever


def run(*arguments, stdin="", expect_status=0):
    done = subprocess.run([WEFT, *arguments], input=stdin, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == expect_status, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def script(text):
    file = pathlib.Path(FOLDER) / f"{len(os.listdir(FOLDER))}.weft"
    file.write_text(text)
    return str(file)


def start(text, *arguments, **options):
    return subprocess.Popen([WEFT, *arguments, script(text)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, text=True, **options)


def stat_of(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return {"state": fields[0], "parent": int(fields[1]), "group": int(fields[2])}


def children_of(pid):
    result = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = stat_of(int(entry))
            if stat is not None and stat["parent"] == pid:
                result.append(int(entry))
    return result


def is_gone(pid):
    stat = stat_of(pid)
    return stat is None or stat["state"] in "ZX"


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.01)


USES = ("USING: accessors arrays calendar classes continuations io io.private kernel locals math math.parser "
        "prettyprint sequences system threads vms vms.private vms.workers weft.errors ;\n")

# --- where a quotation's words may have been defined


def test_words_of_a_script():
    text = USES + "IN: s : double ( n -- m ) 2 * ; [ 21 double ] spawn-vm join-vm ."
    assert run(script(text)) == "42\n"


def test_words_of_the_command_line():
    text = "USING: vms ; : double ( n -- m ) 2 * ; TUPLE: pair-of a b ; [ 21 double f pair-of boa ] spawn-vm join-vm a>> ."
    assert run("-e", text) == "42\n"


def test_words_of_standard_input():
    text = USES + "IN: s : double ( n -- m ) 2 * ; [ 21 double ] spawn-vm join-vm ."
    assert run("-", stdin=text) == "42\n"


def test_words_of_the_prompt():
    lines = "USE: vms\n: double ( n -- m ) 2 * ;\n[ 21 double ] spawn-vm join-vm .\n"
    assert "42" in run(stdin=lines).replace("21", ""), run(stdin=lines)


def test_words_redefined_at_the_prompt():
    lines = ("USE: vms\n: word-here ( -- n ) 111 ;\n[ word-here ] spawn-vm join-vm .\n"
             ": word-here ( -- n ) 333 2 * ;\n[ word-here ] spawn-vm join-vm .\n")
    output = run(stdin=lines)
    assert "111" in output and "666" in output, output


def test_words_of_a_vocabulary_beside_the_script():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "mine").mkdir()
        (path / "mine" / "mine.weft").write_text("USING: math ; IN: mine\n: triple ( n -- m ) 3 * ;\n")
        (path / "main.weft").write_text("USING: mine vms prettyprint ; IN: m [ 14 triple ] spawn-vm join-vm .\n")
        assert run(str(path / "main.weft")) == "42\n"


# --- processes and descriptors

MANY = USES + """IN: s
: descriptors ( -- n ) "/proc/self/fd" (directory-list) length ;
: round ( -- ) 50 <iota> [ [ 1 + ] curry spawn-vm ] map [ join-vm ] map sum 1275 = [ "wrong" throw ] unless ;
round
descriptors 9 [ round ] times descriptors - .
"/proc/self/task" (directory-list) length .
"ready" print flush
parent-vm drop
60 seconds sleep
"""


def test_500_siblings_leave_nothing():
    process = start(MANY)
    try:
        assert process.stdout.readline() == "0\n", "descriptors are left"
        process.stdout.readline()
        assert process.stdout.readline() == "ready\n"
        assert children_of(process.pid) == [], "zombies"
    finally:
        process.kill()
        process.communicate()


def test_only_what_is_meant_for_it_reaches_a_sibling():
    # an inherited descriptor without close-on-exec, and one that the program opened
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    text = USES + """IN: s
[ "/proc/self/fd" (directory-list) ] spawn-vm drop
[ "/proc/self/fd" (directory-list) length ] spawn-vm join-vm .
"""
    process = start(text, pass_fds=[write_end])
    output, errors = process.communicate(timeout=PATIENCE)
    os.close(read_end)
    os.close(write_end)
    # 0 1 2, data, control, the event loop's two, and that of the directory
    assert output == "8\n", (output, errors)


def test_signals_and_group_of_a_sibling():
    text = USES + """IN: s
USE: io.private
[ 60 seconds sleep ] spawn-vm drop "ready" print flush 60 seconds sleep
"""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        process = start(text, restore_signals=False)
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    try:
        assert process.stdout.readline() == "ready\n"
        (child,) = children_of(process.pid)
        status = pathlib.Path(f"/proc/{child}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(fields["SigBlk"], 16) == 0, fields["SigBlk"]
        assert int(fields["SigIgn"], 16) & (1 << (signal.SIGUSR1 - 1)) == 0, fields["SigIgn"]
        assert stat_of(child)["group"] == child
    finally:
        process.kill()
        process.communicate()


# --- kill -9

def test_a_killed_sibling_is_named():
    text = USES + """IN: s
[ 600 seconds sleep ] { { "name" "victim" } } spawn-vm* "ready" print flush
[ join-vm ] [ nip [ name>> print ] [ status>> . ] [ pid>> . ] tri ] recover
"ended" print flush 60 seconds sleep
"""
    process = start(text)
    try:
        assert process.stdout.readline() == "ready\n"
        (child,) = children_of(process.pid)
        begin = time.monotonic()
        os.kill(child, signal.SIGKILL)
        lines = [process.stdout.readline().strip() for _ in range(4)]
        seconds = time.monotonic() - begin
        assert lines == ["victim", "-9", str(child), "ended"], lines
        assert seconds < 1, f"{seconds} seconds"
        assert children_of(process.pid) == [], "a zombie"
    finally:
        process.kill()
        process.communicate()


def test_an_uncaught_death_is_an_error_of_the_program():
    process = start(USES + 'IN: s [ 9 exit ] { { "name" "mine" } } spawn-vm* join-vm .\n')
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "mine" in errors, (process.returncode, errors)


def test_a_worker_killed_in_mid_task():
    text = USES + """IN: s
: task ( n -- m ) dup 1 = [ [ 1 drop t ] loop ] when 10 * ;
:: main ( -- )
    create-worker :> w
    4 <iota> [| i | [ i task ] w send-task ] each
    w receive-result .
    "ready" print flush
    [ w receive-result . ] [ [ class-of . ] [ status>> . ] bi ] recover
    2 [ w receive-result . ] times
    "end" print flush 60 seconds sleep ;
main
"""
    process = start(text)
    try:
        assert process.stdout.readline() == "0\n"
        assert process.stdout.readline() == "ready\n"
        (child,) = children_of(process.pid)
        begin = time.monotonic()
        os.kill(child, signal.SIGKILL)
        lines = [process.stdout.readline().strip() for _ in range(2)]
        seconds = time.monotonic() - begin
        assert lines == ["worker-died", "-9"], lines
        assert seconds < 1, f"{seconds} seconds"
        assert [process.stdout.readline() for _ in range(3)] == ["20\n", "30\n", "end\n"]
        assert len(children_of(process.pid)) == 1
    finally:
        process.kill()
        process.communicate()


def test_killing_the_parent_leaves_no_orphan():
    text = USES + """IN: s
: grandparent ( -- )
    [ [ [ 1 drop t ] loop ] spawn-vm [ parent-vm vm-send ] curry drop [ 1 drop t ] loop ] spawn-vm drop
    [ parent-vm vm-receive ] spawn-vm drop
    [ 600 seconds sleep ] spawn-vm drop ;
grandparent "ready" print flush 600 seconds sleep
"""
    process = start(text)
    assert process.stdout.readline() == "ready\n"
    wait_until(lambda: any(children_of(child) for child in children_of(process.pid)), "a grandchild")
    family = children_of(process.pid)
    family += [grandchild for child in family for grandchild in children_of(child)]
    assert len(family) == 4, family
    os.kill(process.pid, signal.SIGKILL)
    begin = time.monotonic()
    wait_until(lambda: all(is_gone(pid) for pid in family), "the end of the siblings")
    assert time.monotonic() - begin < 1
    process.communicate()


def test_siblings_end_with_the_program():
    text = USES + """IN: s
[ [ 1 drop t ] loop ] spawn-vm drop [ parent-vm vm-receive ] spawn-vm drop "ready" print flush
1 seconds sleep
"""
    process = start(text)
    assert process.stdout.readline() == "ready\n"
    family = children_of(process.pid)
    assert len(family) == 2
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0 and errors == "", errors
    wait_until(lambda: all(is_gone(pid) for pid in family), "the end of the siblings")


def test_waiting_siblings_use_no_processor():
    text = USES + """IN: s
10 <iota> [ drop [ parent-vm vm-receive ] spawn-vm ] map
"ready" print flush 3 seconds sleep [ "x" swap vm-send ] each
"""
    process = start(text)
    assert process.stdout.readline() == "ready\n"
    family = children_of(process.pid) + [process.pid]

    def ticks():
        total = 0
        for pid in family:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total

    time.sleep(1)  # they have all begun to wait
    before = ticks()
    time.sleep(1)
    used = ticks() - before
    process.communicate(timeout=PATIENCE)
    assert used <= 1, f"{used} ticks in a second"


def test_an_interrupt_reaches_siblings():
    text = USES + """IN: s
USE: signals
[ "SIGINT has come" print flush ] "SIGINT" on-signal
[ [ 600 seconds sleep ] [ interrupted? parent-vm vm-send ] recover 5 ] spawn-vm
"ready" print flush dup vm-receive . join-vm .
"""
    process = start(text)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)  # the sibling sleeps
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE)
    assert output == "SIGINT has come\nt\n5\n", (output, errors)
    assert errors == "", errors


# --- bytes that are no frame

def test_a_sibling_refuses_bytes_that_are_no_frame():
    import socket
    for junk in [b"", b"junk", os.urandom(24), b"WFTM\x01\x00\x03\x00" + bytes(8) + b"\xff" * 8,
                 b"WFTM\x02\x00" + bytes(18), b"WFTM\x01\x00\x03\x00\x05\x00\x00\x00" + bytes(12) + b"FFFF",
                 b"WFTM\x01\x00\x03\x00" + bytes(8) + b"\x04" + bytes(7) + bytes(4),
                 b"WFTM\x01\x00\x03\x00" + bytes(8) + b"\x05" + bytes(7) + os.urandom(5)]:
        ours, data = socket.socketpair()
        our_control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def place(data=data, control=control):
            a, b = os.dup2(data.fileno(), 20), os.dup2(control.fileno(), 21)
            os.dup2(a, 3)
            os.dup2(b, 4)

        child = subprocess.Popen([WEFT, "--sibling=test"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, preexec_fn=place, close_fds=False)
        data.close()
        control.close()
        ours.sendall(junk)
        ours.shutdown(socket.SHUT_WR)
        child.communicate(timeout=PATIENCE)
        ours.close()
        our_control.close()
        assert child.returncode == 1, (junk, child.returncode)


def main():
    global WEFT, FOLDER
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weft", required=True)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    WEFT = os.path.abspath(options.weft)
    tests = {name: value for name, value in globals().items() if name.startswith("test_")}
    scripts = tempfile.TemporaryDirectory()
    FOLDER = scripts.name
    passed = failed = 0
    for name, test in tests.items():
        if options.names and name not in options.names:
            continue
        try:
            test()
            passed += 1
            print(f"ok     {name}", flush=True)
        except Exception:  # noqa: BLE001: every failure of a test is reported
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
