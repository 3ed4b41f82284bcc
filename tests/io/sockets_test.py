"""Sockets of the I/O proxy with this program as the other side."""
import os
import selectors
import socket
import struct
import tempfile

from support import Program, main, run

# A program that fails in the middle must not hang the test.
socket.setdefaulttimeout(100)

ECHO = """
: echo ( fd -- )
    [ [ 65536 over recv-some dup empty? ] [ over sendall ] until drop ]
    [ dup system-error? [ drop ] [ rethrow ] if ] recover close-fd ;

: serve ( listener -- )
    dup accept-fd [ echo ] curry "client" spawn drop serve ;

"127.0.0.1" 0 tcp-listen
dup local-port number>string print flush
serve
"""


def a_thousand_connections_echo_and_ten_carry_ten_megabytes():
    with Program(ECHO) as program:
        address = ("127.0.0.1", int(program.line()))
        clients = [socket.create_connection(address) for _ in range(1000)]
        for i, client in enumerate(clients):
            client.sendall(b"message %d" % i)
        for i, client in enumerate(clients):
            expected = b"message %d" % i
            got = b""
            while len(got) < len(expected):
                got += client.recv(100)
            assert got == expected, (i, got)
        data = [os.urandom(10 << 20) for _ in range(10)]
        got = [bytearray() for _ in range(10)]
        sent = [0] * 10
        selector = selectors.DefaultSelector()
        for i in range(10):
            clients[i].setblocking(False)
            selector.register(clients[i], selectors.EVENT_READ | selectors.EVENT_WRITE, i)
        open_ones = 10
        while open_ones:
            for key, events in selector.select():
                i = key.data
                if events & selectors.EVENT_READ:
                    got[i] += clients[i].recv(1 << 18)
                    if len(got[i]) == len(data[i]):
                        selector.unregister(clients[i])
                        open_ones -= 1
                        continue
                if events & selectors.EVENT_WRITE and sent[i] < len(data[i]):
                    sent[i] += clients[i].send(data[i][sent[i]:sent[i] + (1 << 18)])
                    if sent[i] == len(data[i]):
                        selector.modify(clients[i], selectors.EVENT_READ, i)
        for i in range(10):
            assert bytes(got[i]) == data[i]
        # The others still work.
        clients[999].sendall(b"again")
        assert clients[999].recv(100) == b"again"
        for client in clients:
            client.close()


def transfers_end_early_time_out_and_are_reset():
    with Program("""
:: connect ( port -- fd ) "127.0.0.1" port tcp-connect ;
:: main ( -- )
    readln string>number :> port
    ! an early end: the error holds what came
    port connect :> a
    [ 10 a recvall drop ] [ dup short-read? . bytes>> . ] recover
    ! a time-out leaves the bytes readable
    port connect :> b
    [ 10 b 50000000 recvall-timeout drop ] [ class-of . ] recover
    "go" print flush
    10 b recvall .
    ! a large one, which goes into the byte array in place
    port connect :> c
    [ 1000000 c 200000000 recvall-timeout drop ] [ class-of . ] recover
    "go" print flush
    1000000 c recvall length .
    ! a reset
    port connect :> d
    "reset" print flush
    [ 10 d recvall drop ] [ dup system-error? [ name>> ] when . ] recover
    ! half-close: the other direction goes on
    port connect :> e
    B{ 1 2 3 } e sendall e half-close
    10 e recv-some . 10 e recv-some .
    ! closing while another thread waits
    port connect :> f
    [ [ 10 f recv-some drop ] [ class-of . ] recover ] "reader" spawn :> reader
    [ reader thread-wait ] [ yield ] until
    [ 10 f recv-some drop ] [ class-of . ] recover
    f close-fd
    reader join-thread drop
    [ 10 f recv-some drop ] [ class-of . ] recover
    ! lines and frames
    port connect :> g
    B{ 13 10 } 100 g recv-until .
    3 g recvall .
    [ B{ 13 10 } 4 g recv-until . ] [ class-of . ] recover
    20 g recv-some .
    ! nobody reads: the sender waits, and is told how much went
    port connect :> h
    [ 8000000 <byte-array> h 100000000 sendall-timeout ] [ class-of . ] recover ;
main
""") as program:
        listener = socket.create_server(("127.0.0.1", 0))
        program.write("%d\n" % listener.getsockname()[1])
        a, _ = listener.accept()
        a.sendall(b"abc")
        a.close()
        assert program.line() == "t"
        assert program.line() == "B{ 97 98 99 }"
        b, _ = listener.accept()
        b.sendall(b"12345")
        assert program.line() == "timed-out-error"
        assert program.line() == "go"
        b.sendall(b"67890")
        assert program.line() == "B{ 49 50 51 52 53 54 55 56 57 48 }"
        c, _ = listener.accept()
        c.sendall(bytes(300000))
        assert program.line() == "timed-out-error"
        assert program.line() == "go"
        c.sendall(bytes(700000))
        assert program.line() == "1000000"
        d, _ = listener.accept()
        assert program.line() == "reset"
        d.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        d.close()
        assert program.line() == '"ECONNRESET"'
        e, _ = listener.accept()
        got = b""
        while True:
            piece = e.recv(10)
            if not piece:
                break
            got += piece
        assert got == b"\1\2\3"
        e.sendall(b"after")
        e.close()
        assert program.line() == "B{ 97 102 116 101 114 }"
        assert program.line() == "B{ }"
        f, _ = listener.accept()
        assert program.line() == "already-waiting"
        assert program.line() == "already-disposed"
        assert program.line() == "already-disposed"
        g, _ = listener.accept()
        g.sendall(b"line\r\nabclong line")
        assert program.line() == "B{ 108 105 110 101 13 10 }"
        assert program.line() == "B{ 97 98 99 }"
        assert program.line() == "message-too-large"
        assert program.line() == "B{ 108 111 110 103 32 108 105 110 101 }"
        h, _ = listener.accept()
        assert program.line() == "timed-out-error"
        program.finish()


def descriptors_come_from_and_go_to_a_foreign_program():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        with Program("""
:: main ( path -- )
    path unix-connect :> s
    ! a pipe of the other program: what we write comes out there
    100 s recv-fds :> ( bytes fds )
    bytes . fds length .
    B{ 104 105 } fds first sendall
    fds first close-fd
    ! one of ours
    fd-pipe :> ( in out )
    B{ 1 } out 1array s send-fds
    out close-fd
    5 in recvall .
    ! many at once: more than fit into a frame
    300 [ fd-pair drop ] replicate :> many
    300 <byte-array> many s send-fds
    1 s recvall .
    ! a frame read as bytes: its descriptors are closed
    1 s recvall . 1 s recvall . ;
readln main
""") as program:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen()
            program.write(path + "\n")
            peer, _ = listener.accept()
            reader, writer = os.pipe()
            socket.send_fds(peer, [b"take this"], [writer])
            os.close(writer)
            assert program.line() == "B{ 116 97 107 101 32 116 104 105 115 }"
            assert program.line() == "1"
            assert os.read(reader, 10) == b"hi"
            assert os.read(reader, 10) == b""
            message, fds, flags, _ = socket.recv_fds(peer, 10, 5)
            assert message == b"\1" and len(fds) == 1, (message, fds)
            os.write(fds[0], b"hello")
            os.close(fds[0])
            assert program.line() == "B{ 104 101 108 108 111 }"
            got, count = 0, 0
            while got < 300:
                message, fds, flags, _ = socket.recv_fds(peer, 300 - got, 253)
                got += len(message)
                count += len(fds)
                for fd in fds:
                    os.close(fd)
            assert count == 300, count
            peer.sendall(b"\7")
            assert program.line() == "B{ 7 }"
            reader2, writer2 = os.pipe()
            socket.send_fds(peer, [b"\1\2"], [writer2])
            os.close(writer2)
            assert program.line() == "B{ 1 }"
            assert program.line() == "B{ 2 }"
            assert os.read(reader2, 1) == b""  # its copy was closed
            program.finish()


def all_descriptors_taken_makes_accept_wait():
    with Program(ECHO, prefix=("sh", "-c", 'ulimit -n 24; exec "$@"', "sh")) as program:
        address = ("127.0.0.1", int(program.line()))
        clients = [socket.create_connection(address) for _ in range(40)]
        for client in clients:
            client.sendall(b"x")
        clients[0].settimeout(60)
        assert clients[0].recv(1) == b"x"
        # As those in front go, the others have their turn.
        for client in clients[:30]:
            client.close()
        for client in clients[30:]:
            client.settimeout(60)
            assert client.recv(1) == b"x"
        program.process.kill()
        errors = program.process.stderr.read().decode()
        assert errors.count("no more descriptors") == 1, errors


def unix_names_and_both_internet_families():
    print_name = """
: chat ( fd -- bytes ) B{ 1 2 } over sendall 2 swap recvall ;
:: both ( listener connect: ( -- fd ) -- )
    [ listener accept-fd [ 2 over recvall reverse ] keep sendall drop ] "server" spawn drop
    connect call( -- fd ) chat . ;
"@weft-test-%d" unix-listen [ "@weft-test-%d" unix-connect ] both
"127.0.0.1" 0 tcp-listen dup local-port [ "127.0.0.1" swap tcp-connect ] curry both
"localhost" 0 tcp-listen dup local-port [ "localhost" swap tcp-connect ] curry both
""" % (os.getpid(), os.getpid())
    out = run(print_name.replace("[ 2 over recvall reverse ] keep sendall drop",
                                 "dup 2 swap recvall reverse swap sendall"))
    assert out == "B{ 2 1 }\n" * 3, out
    if socket.has_ipv6:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            return
        out = run("""
"::1" 0 tcp-listen dup [ accept-fd B{ 9 } swap sendall ] curry "s" spawn drop
local-port "::1" swap tcp-connect 1 swap recvall .
""")
        assert out == "B{ 9 }\n", out


main([
    a_thousand_connections_echo_and_ten_carry_ten_megabytes,
    transfers_end_early_time_out_and_are_reset,
    descriptors_come_from_and_go_to_a_foreign_program,
    all_descriptors_taken_makes_accept_wait,
    unix_names_and_both_internet_families,
])
