#!/usr/bin/env python3
"""Forked children and shared memory, seen from outside: what the kernel says of processes, memory
and descriptors while and after the program runs.

  fork_shared_test.py --weft BINARY [unittest options]
"""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

WEFT = None
SLOW = None
MIB = 1 << 20
USING = '''USING: accessors arrays byte-arrays calendar continuations destructors io io.pathnames io.proxy kernel
locals math math.parser memory namespaces prettyprint sequences sequences.private strings system
threads threads.join threads.cancel vms vms.fork vms.shared weft.errors ;
IN: scratchpad
'''


def slow():
    """Sanitizer builds are some ten times slower, and take more memory."""
    global SLOW
    if SLOW is None:
        with open(WEFT, 'rb') as file:
            SLOW = b'__asan_init' in file.read()
    return SLOW


def program(folder, text):
    path = os.path.join(folder, 'program.weft')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(USING + text)
    return path


def start(folder, text, *options):
    return subprocess.Popen([WEFT, *options, program(folder, text)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)


def wait_until_asleep(pid):
    """Until the process waits in the kernel and has not run between two looks."""
    def look():
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            state = file.read().rsplit(')', 1)[1].split()[0]
        with open(f'/proc/{pid}/status', encoding='ascii') as file:
            return state, [line for line in file if 'ctxt_switches' in line]
    last = look()
    while True:
        time.sleep(0.05)
        now = look()
        if now == last and now[0] == 'S':
            return
        last = now


def children_of(pid):
    """Every process below pid, as the kernel lists them now."""
    parents = {}
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/stat', encoding='utf-8', errors='replace') as file:
                fields = file.read().rpartition(')')[2].split()
        except OSError:
            continue
        parents[int(name)] = (int(fields[1]), fields[0])
    found, queue = [], [pid]
    while queue:
        above = queue.pop()
        for child, (parent, state) in parents.items():
            if parent == above:
                found.append((child, state))
                queue.append(child)
    return found


def exists(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
            return file.read().rpartition(')')[2].split()[0] not in 'ZX'
    except OSError:
        return False


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def lines_of(path):
    with open(path, encoding='utf-8') as file:
        return len(file.readlines())


def rollup(pid, field):
    """Bytes of one row of smaps_rollup."""
    with open(f'/proc/{pid}/smaps_rollup', encoding='utf-8') as file:
        return int(re.search(rf'^{field}:\s+(\d+) kB', file.read(), re.M)[1]) * 1024


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def start(self, text, *options):
        process = start(self.folder.name, text, *options)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def run_text(self, text, *options, timeout=120):
        process = self.start(text, *options)
        out, err = process.communicate(timeout=timeout)
        self.assertEqual((process.returncode, err), (0, ''))
        return out

    def sparse_file(self, size, name='data.bin'):
        path = os.path.join(self.folder.name, name)
        with open(path, 'wb') as file:
            file.truncate(size)
        return path


class Forks(Program):
    def test_killed_child_is_reported_with_the_signal(self):
        process = self.start('''
            [ f [ drop "ready" print flush 1000 seconds sleep 5 ] fork-map ]
            [ [ vm-died? . ] [ status>> . ] [ name>> . ] tri ] recover
            5 [ sq ] fork-map .''')
        self.assertEqual(process.stdout.readline(), 'ready\n')
        (child, _), = children_of(process.pid)
        # It says where it is when it begins to wait, a little after it has written.
        wait_until_asleep(child)
        before = time.monotonic()
        os.kill(child, signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        self.assertRegex(out, r'^t\n-9\n"forked child, last seen at .*program.weft:6:\d+"\n25\n$')
        self.assertEqual(err, '')
        self.assertFalse(exists(child))
        self.assertLess(time.monotonic() - before, 30)

    def test_killed_piece_is_named_and_the_others_end(self):
        process = self.start('''
            1 fork-chunk-size set-global 4 fork-children set-global
            [ 4 <iota> [ drop "ready" print flush 1000 seconds sleep 5 ] parallel-fork-map ]
            [ [ status>> . ] [ name>> print ] bi ] recover
            "end" print flush readln drop''')
        for _ in range(4):
            self.assertEqual(process.stdout.readline(), 'ready\n')
        children = sorted(pid for pid, _ in children_of(process.pid))
        self.assertEqual(len(children), 4)
        wait_until_asleep(children[2])
        os.kill(children[2], signal.SIGKILL)
        self.assertEqual(process.stdout.readline(), '-9\n')
        self.assertRegex(process.stdout.readline(),
                         r'forked child for piece \d, elements (\d) to \1, last seen at .*program.weft:7:')
        self.assertEqual(process.stdout.readline(), 'end\n')
        self.assertTrue(until(lambda: not children_of(process.pid)), 'children or zombies are left')

    def test_crash_of_a_child(self):
        # By a signal that nobody handles, as a forbidden system call would be (SIGSYS).
        out = self.run_text('''
            USING: threads.private ;
            [ f [ drop 31 (raise-signal) 1000 seconds sleep ] fork-map ]
            [ [ vm-died? . ] [ status>> . ] bi ] recover
            5 [ sq ] fork-map .''')
        self.assertEqual(out, 't\n-31\n25\n')

    def test_killed_parent_leaves_no_child(self):
        process = self.start('''
            [ f [ drop f [ drop "ready" print flush 1000 seconds sleep 5 ] fork-map ] fork-map ]
            [ drop f ] recover .''')
        self.assertEqual(process.stdout.readline(), 'ready\n')
        children = [pid for pid, _ in children_of(process.pid)]
        self.assertEqual(len(children), 2)
        process.kill()
        process.wait()
        self.assertTrue(until(lambda: not any(exists(pid) for pid in children)), children)

    def test_cancelled_wait_ends_the_child(self):
        process = self.start('''
            [ f [ drop "ready" print flush 1000 seconds sleep 5 ] fork-map ] "waits" spawn
            readln drop
            cancel-thread "cancelled" print flush
            readln drop''')
        self.assertEqual(process.stdout.readline(), 'ready\n')
        self.assertEqual(len(children_of(process.pid)), 1)
        process.stdin.write('\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), 'cancelled\n')
        self.assertTrue(until(lambda: not children_of(process.pid)), 'a child is left')
        out, err = process.communicate('\n', timeout=60)
        self.assertEqual((process.returncode, out), (0, ''))

    def test_io_of_the_parent_goes_on(self):
        # Clients are echoed to all the time; children use, half-read and close the same descriptors,
        # and watch some of their own.
        count = 5 if slow() else 40
        process = self.start(f'''
            :: echo ( fd -- )
                [ 65536 fd recv-some dup empty? not ] [ fd sendall ] while drop fd close-fd ;
            : serve ( listener -- )
                [ dup accept-fd [ echo ] curry "echo" spawn drop t ] loop drop ;
            :: in-child ( n listener -- n' )
                listener close-fd
                fd-pair :> ( near far )
                [ B{{ 1 2 3 }} near sendall ] "writer" spawn drop
                3 far recvall sum n +
                5 milliseconds sleep ;
            "127.0.0.1" 0 tcp-listen
            dup local-port . flush
            dup [ serve ] curry "server" spawn drop
            readln drop
            {count} <iota> [ over [ in-child ] curry fork-map ] map sum .
            "forked" print flush readln 2drop''')
        port = int(process.stdout.readline())
        clients = [socket.create_connection(('127.0.0.1', port), timeout=60) for _ in range(4)]
        for client in clients:
            self.addCleanup(client.close)

        def echo(client, block):
            client.sendall(block)
            got = b''
            while len(got) < len(block):
                part = client.recv(1 << 16)
                self.assertTrue(part, 'a connection ended')
                got += part
            self.assertEqual(got, block)
        for client in clients:
            echo(client, b'before')
        process.stdin.write('\n')
        process.stdin.flush()
        ended = threading.Event()
        lines = []

        def read_lines():
            lines.extend([process.stdout.readline(), process.stdout.readline()])
            ended.set()
        reader = threading.Thread(target=read_lines)
        reader.start()
        rounds = 0
        while not ended.is_set():
            for client in clients:
                echo(client, os.urandom(3000))
            rounds += 1
        reader.join()
        self.assertEqual(lines, [f'{sum(range(count)) + 6 * count}\n', 'forked\n'])
        self.assertGreater(rounds, 0)
        for client in clients:
            echo(client, b'after')
        out, err = process.communicate('\n', timeout=60)
        self.assertEqual((process.returncode, err), (0, ''))

    def test_nothing_is_left_after_many(self):
        count = 30 if slow() else 300
        process = self.start(f'''
            : one ( n -- ) [ 1 + ] fork-map drop ;
            readln drop 0 one gc "before" print flush readln drop
            {count} <iota> [ one ] each
            20 [ [ f [ drop "x" throw ] fork-map drop ] [ drop ] recover ] times
            20 [ [ f [ drop 3 exit ] fork-map drop ] [ drop ] recover ] times
            gc "after" print flush readln drop''')
        process.stdin.write('\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), 'before\n')
        fds = len(os.listdir(f'/proc/{process.pid}/fd'))
        maps = lines_of(f'/proc/{process.pid}/maps')
        process.stdin.write('\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), 'after\n')
        self.assertEqual(len(os.listdir(f'/proc/{process.pid}/fd')), fds)
        self.assertLess(lines_of(f'/proc/{process.pid}/maps'), maps + 20)
        self.assertEqual(children_of(process.pid), [])
        process.communicate('\n', timeout=60)
        self.assertEqual(process.returncode, 0)

    def test_reading_children_add_little_memory(self):
        size = (64 if slow() else 1024) * MIB
        process = self.start(f'''
            {size} <byte-array> 7 0 pick set-nth
            gc "made" print flush readln drop
            8 fork-children set-global 1 fork-chunk-size set-global
            8 <iota> [
                drop dup [ length ] [ uint64 <view> view-sum ] bi 2array
                "read" print flush 1000 seconds sleep
            ] with parallel-fork-map .''')
        process.stdin.write('\n')
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), 'made\n')
        for _ in range(8):
            self.assertEqual(process.stdout.readline(), 'read\n')
        alone = rollup(process.pid, 'Rss')
        total = rollup(process.pid, 'Pss')
        children = children_of(process.pid)
        self.assertEqual(len(children), 8)
        for child, _ in children:
            total += rollup(child, 'Pss')
        self.assertLess(total - alone, size * 0.05 + (32 * MIB if slow() else 0),
                        f'{total - alone} bytes more for 8 children that read {size}')
        print(f'\n  8 children read {size // MIB} MiB: {(total - alone) / MIB:.1f} MiB more',
              file=sys.stderr)


class Shared(Program):
    def test_truncated_file_is_an_error_in_the_thread_that_reads(self):
        for read in ('900000 over nth .',
                     'dup [ 0 1000000 ] dip shared-part length .',
                     'dup uint8 <view> view-sum .',
                     'dup clone drop'):
            with self.subTest(read):
                path = self.sparse_file(1000000)
                process = self.start(f'''
                    "{path}" map-shared-file
                    dup 5 swap nth .
                    "mapped" print flush readln drop
                    [ {read} ] [ mapping-lost? . ] recover
                    dup 5 swap nth .
                    [ 999999 over nth . ] [ mapping-lost? . ] recover
                    drop''')
                self.assertEqual(process.stdout.readline(), '0\n')
                self.assertEqual(process.stdout.readline(), 'mapped\n')
                os.truncate(path, 4096)
                out, err = process.communicate('\n', timeout=60)
                self.assertEqual((process.returncode, out, err), (0, 't\n0\nt\n', ''))

    def test_truncated_file_in_a_child(self):
        path = self.sparse_file(1000000)
        process = self.start(f'''
            "{path}" map-shared-file
            [ "ready" print flush readln drop 900000 swap nth ]
            [ fork-map . ] [ 2nip error>> mapping-lost? . ] recover''')
        self.assertEqual(process.stdout.readline(), 'ready\n')
        os.truncate(path, 0)
        out, err = process.communicate('\n', timeout=60)
        self.assertEqual((process.returncode, out, err), (0, 't\n', ''))

    def test_siblings_share_a_mapped_file(self):
        size = (64 if slow() else 1024) * MIB
        path = os.path.join(self.folder.name, 'data.bin')
        block = os.urandom(MIB)
        with open(path, 'wb') as file:
            for _ in range(size // MIB):
                file.write(block)
        process = self.start(f'''
            4 [ [ parent-vm vm-receive uint64 <view> view-sum parent-vm vm-send
                  parent-vm vm-receive ] spawn-vm ] replicate
            "{path}" map-shared-file over [ dupd vm-send ] each drop
            [ vm-receive . ] each
            "read" print flush readln drop''')
        sums = {process.stdout.readline() for _ in range(4)}
        self.assertEqual(len(sums), 1)
        self.assertEqual(process.stdout.readline(), 'read\n')
        pids = [pid for pid, _ in children_of(process.pid)]
        self.assertEqual(len(pids), 4)
        total = sum(rollup(pid, 'Pss') for pid in [process.pid, *pids])
        self.assertLess(total, size * 1.1 + (200 * MIB if slow() else 0))
        print(f'\n  4 siblings on {size // MIB} MiB: {total / MIB:.0f} MiB in all', file=sys.stderr)

    def test_sending_shared_bytes_does_not_depend_on_their_size(self):
        # What goes over the socket is counted, not timed.
        written = {}
        for size in (MIB, 256 * MIB):
            process = self.start(f'''
                [ parent-vm vm-receive [ length ] [ last ] bi 2array parent-vm vm-send
                  parent-vm vm-receive ] spawn-vm
                {size} <shared-bytes> 9 over [ length 1 - ] keep set-nth
                "start" print flush readln drop
                over vm-send vm-receive .
                "sent" print flush readln drop''')
            self.assertEqual(process.stdout.readline(), 'start\n')
            before = self.io_of(process.pid)
            process.stdin.write('\n')
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), f'{{ {size} 9 }}\n')
            self.assertEqual(process.stdout.readline(), 'sent\n')
            after = self.io_of(process.pid)
            written[size] = (after['wchar'] - before['wchar'], after['syscw'] - before['syscw'])
            process.communicate('\n', timeout=60)
        (small, large) = written.values()
        self.assertLess(abs(small[0] - large[0]), 64)
        self.assertLess(large[0], 4096)
        self.assertLess(abs(small[1] - large[1]), 4)

    @staticmethod
    def io_of(pid):
        with open(f'/proc/{pid}/io', encoding='utf-8') as file:
            return {name: int(value) for name, value in
                    (line.split(': ') for line in file.read().splitlines())}

    def test_mapping_and_descriptor_go_with_the_last_reference(self):
        process = self.start('''
            200 [ 1000000 <shared-bytes> drop ] times gc
            1000000 <shared-bytes> dispose
            "after" print flush readln drop''')
        self.assertEqual(process.stdout.readline(), 'after\n')
        with open(f'/proc/{process.pid}/maps', encoding='utf-8') as file:
            self.assertNotIn('memfd', file.read())
        links = [os.readlink(f'/proc/{process.pid}/fd/{fd}')
                 for fd in os.listdir(f'/proc/{process.pid}/fd')]
        self.assertFalse([link for link in links if 'memfd' in link])


if __name__ == '__main__':
    if '--weft' in sys.argv:
        place = sys.argv.index('--weft')
        WEFT = os.path.abspath(sys.argv[place + 1])
        del sys.argv[place:place + 2]
    if WEFT is None:
        sys.exit('usage: fork_shared_test.py --weft BINARY [unittest options]')
    unittest.main()
