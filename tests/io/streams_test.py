"""Standard streams, files, names and processes: what is slow stalls one thread only."""
import fcntl
import os
import shutil
import subprocess
import tempfile

from support import Program, arguments, main, run


def others_run_while_a_thread_waits_for_a_line():
    with Program("""
! This thread needs the other to have run while it waits.
[ 3 [ "tick" print flush yield ] times ] "ticker" spawn drop
readln "line " prepend print flush
[ readln "second " prepend print flush ] "reader" spawn
"main goes on" print flush
readln "third " prepend print flush
join-thread drop
""") as program:
        assert [program.line() for _ in range(3)] == ["tick"] * 3
        program.write("one\n")
        assert program.line() == "line one"
        assert program.line() == "main goes on"
        program.write("tw")
        program.write("o\nthree\n")
        assert {program.line(), program.line()} <= {
            "second two", "third two", "second three", "third three"}
        program.process.stdin.close()
        program.process.stdin = None
        program.finish()


def a_slow_reader_of_standard_output_stalls_its_writer_only():
    fifo_in, fifo_out = os.pipe()
    with Program("""
:: main ( -- )
    [ 300000 [ "a line of output that nobody reads yet" print ] times "written" print flush ] "writer" spawn drop
    100 [ yield ] times
    "others go on" error-stream get stream-print
    readln drop ;
main
""", stdout=fifo_out) as program:
        os.close(fifo_out)
        assert program.process.stderr.readline() == b"others go on\n"
        # Nothing is lost when the reader comes after all.
        size = 0
        tail = b""
        while b"written\n" not in tail:
            piece = os.read(fifo_in, 1 << 16)
            assert piece
            size += len(piece)
            tail = (tail + piece)[-100:]
        assert size == 300000 * 39 + len("written\n"), size
        program.write("\n")
        program.finish()
    os.close(fifo_in)


def output_ends_quietly_when_its_reader_has_gone():
    text = """
: lines ( n -- ) [ "a line" print ] times ;
"""
    for main_part in ("1000000 lines", '[ 1000000 lines ] "writer" spawn drop readln drop'):
        with Program(text + main_part) as program:
            assert program.line() == "a line"
            program.process.stdout.close()
            program.process.stdout = None
            assert program.process.wait(60) in (141, -13), program.process.returncode
            assert program.process.stderr.read() == b""
    # Other broken pipes are errors that can be handled.
    out = run("""
[ fd-pipe swap close-fd B{ 1 } swap sendall ] [ name>> print ] recover
[ fd-pair swap close-fd B{ 1 } swap sendall ] [ name>> print ] recover
""")
    assert out == "EPIPE\nEPIPE\n", out


def the_descriptors_of_the_parent_stay_as_they_were():
    # The read end of a pipe that another program shares must not become non-blocking.
    reader, writer = os.pipe()
    out_reader, out_writer = os.pipe()
    with Program('readln print flush readln drop', stdin=reader, stdout=out_writer) as program:
        os.write(writer, b"x\n")
        assert os.read(out_reader, 10) == b"x\n"
        for fd in (reader, out_writer):
            assert not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK
        os.write(writer, b"\n")
        program.process.wait(60)
    # A file that standard output was redirected to is not overwritten from its start.
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"before\n")
        file.flush()
        handle = open(file.name, "ab")
        with Program('"after" print', stdout=handle) as program:
            program.process.wait(60)
        assert open(file.name, "rb").read() == b"before\nafter\n"


def a_slow_disk_stalls_one_thread():
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        with Program("""
:: main ( path -- )
    [ path utf8 [ readln "slow: " prepend print flush ] with-file-reader ] "slow" spawn :> slow
    50 [ yield ] times
    path ".other" append :> other
    "text" other utf8 set-file-contents
    other utf8 file-contents print flush
    slow join-thread drop
    ! given up: the thread that opens is cancelled by a time limit, the others never noticed
    [ [ path utf8 file-contents ] "never" spawn 50000000 join-thread-timeout drop ] [ class-of . ] recover ;
readln main
""") as program:
            program.write(fifo + "\n")
            assert program.line() == "text"
            with open(fifo, "w") as out:
                out.write("finally\n")
            assert program.line() == "slow: finally"
            assert program.line() == "timed-out-error"
            program.finish()


def a_slow_name_look_up_stalls_one_thread():
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler or "libasan" in subprocess.run(["ldd", arguments.weft], capture_output=True,
                                                   text=True).stdout:
        return
    if b"__asan_init" in open(arguments.weft, "rb").read():
        return
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        source = os.path.join(folder, "slow.c")
        # A resolver that answers when somebody writes into the FIFO.
        with open(source, "w") as file:
            file.write("""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result) {
    char byte;
    int fd = open(getenv("SLOW_FIFO"), O_RDONLY);
    while (fd >= 0 && read(fd, &byte, 1) < 0) {}
    close(fd);
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    return real("127.0.0.1", service, hints, result);
}
""")
        library = os.path.join(folder, "slow.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        env = dict(os.environ, LD_PRELOAD=library, SLOW_FIFO=fifo)
        with Program("""
:: main ( -- )
    [ "slow.example" 80 <inet> resolve-host first host>> print flush ] "slow" spawn :> slow
    100 [ yield ] times
    "others go on" print flush
    fd-pair :> ( a b ) B{ 1 } a sendall 1 b recvall .
    slow join-thread drop ;
main
""", env=env) as program:
            assert program.line() == "others go on"
            assert program.line() == "B{ 1 }"
            with open(fifo, "w") as out:
                out.write("x")
            assert program.line() == "127.0.0.1"
            program.finish()


def processes_leave_nothing_behind():
    out = run("""
USE: io.directories
: open-now ( -- n ) "/proc/self/fd" directory-files length ;
:: main ( -- )
    { "true" } run-process drop open-now :> before
    "127.0.0.1" 0 tcp-listen :> listener
    ! only 0, 1 and 2 reach a child, whatever is open here
    { "sh" "-c" "ls /proc/self/fd" } process-lines .
    200 [ { "true" } run-process drop ] times
    50 [ [ { "sh" "-c" "exit 7" } run-process status>> 7 assert= ] "p" spawn ] replicate
    [ join-thread drop ] each
    ! nobody waits for these: they are reaped all the same
    20 [ { "true" } run-detached drop ] times
    { "sh" "-c" "sleep 0.2" } run-process drop
    { "sh" "-c" "ps -o stat= --ppid $PPID | grep -c Z; true" } process-lines .
    listener close-fd
    open-now before - . ;
main
""")
    lines = out.splitlines()
    # ls itself opens the folder, as 3.
    assert lines == ['{ "0" "1" "2" "3" }', '{ "0" }', "0"], lines


def processes_end_with_their_status():
    out = run("""
{ "sh" "-c" "exit 3" } run-process status>> .
{ "sh" "-c" "kill -9 $$" } run-process status>> signal? .
[ { "sh" "-c" "exit 1" } try-process ] [ class-of . ] recover
[ "no-such-program" run-process drop ] [ [ name>> ] [ subject>> ] bi . . ] recover
[ <process> "sleep 100" >>command 50000000 >>timeout run-process drop ] [ class-of . ] recover
<process> "sleep 100" >>command run-detached dup kill-process [ wait-for-process . ] [ nip class-of . ] recover
"sort" utf8 <process-stream> drop
{ "sh" "-c" "cat; echo done" } utf8 [ "to cat" print ] with-process-writer
<process> "sh -c 'echo $A$B'" >>command H{ { "A" "x" } { "B" "y" } } >>environment process-lines .
""")
    assert out.splitlines() == ["3", "t", "process-failed", '"no-such-program"', '"ENOENT"',
                                "process-was-killed", "process-was-killed", "to cat", "done",
                                '{ "xy" }'], out


def faults_of_the_system_change_no_result():
    text = """
:: transfer ( n -- sum )
    fd-pair :> ( a b )
    [ n <iota> [ 256 mod ] B{ } map-as a sendall a half-close ] "sender" spawn drop
    n b recvall sum b close-fd a close-fd ;
[ 100000 transfer . ] [ dup system-error? [ name>> print ] [ rethrow ] if ] recover
"""
    expected = run(text).strip()
    assert expected == str(sum(i % 256 for i in range(100000)))
    named = 0
    for seed in range(1, 41):
        out = run(text, options=("--io-faults", str(seed))).strip()
        if out != expected:
            assert out in ("ECONNRESET", "EPIPE", "EMFILE"), (seed, out)
            named += 1
    assert named < 30, named


main([
    others_run_while_a_thread_waits_for_a_line,
    a_slow_reader_of_standard_output_stalls_its_writer_only,
    output_ends_quietly_when_its_reader_has_gone,
    the_descriptors_of_the_parent_stay_as_they_were,
    a_slow_disk_stalls_one_thread,
    a_slow_name_look_up_stalls_one_thread,
    processes_leave_nothing_behind,
    processes_end_with_their_status,
    faults_of_the_system_change_no_result,
])
