#!/usr/bin/env python3
"""The same library gives the same image, byte for byte, wherever and however it is built.

  image_depends_on_the_library_alone.py --weft BINARY

The images are built in other folders, with another environment, with the standard streams closed, on a
pseudo-terminal.
"""
import argparse
import os
import pty
import subprocess
import sys
import tempfile

LIBRARY = os.path.abspath(os.path.join(os.path.dirname(__file__), '../../stdlib'))


def on_terminal(command, **options):
    """Runs it with its three streams on a pseudo-terminal."""
    primary, secondary = pty.openpty()
    with subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, **options) as process:
        os.close(secondary)
        try:
            while os.read(primary, 1 << 16):
                pass
        except OSError:  # the other side is closed
            pass
    os.close(primary)
    return process.returncode


def with_streams_closed(command, **options):
    return subprocess.run(['/bin/sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh', *command], check=False, **options).returncode


def plainly(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                          **options).returncode


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--weft', required=True)
    weft = os.path.abspath(parser.parse_args().weft)
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f'{folder}/project/tests')
        ways = [
            ('plainly', plainly, {'cwd': '/', 'env': {}}),
            ('terminal', on_terminal, {'cwd': f'{folder}/project',
                                       'env': {**os.environ, 'HOME': folder, 'TERM': 'xterm', 'COLUMNS': '40'}}),
            ('closed', with_streams_closed, {'cwd': folder}),
        ]
        images = []
        for name, run, keywords in ways:
            status = run([weft, '--build-image', f'{folder}/{name}.image', LIBRARY], **keywords)
            assert status == 0, (name, status)
            with open(f'{folder}/{name}.image', 'rb') as file:
                images.append(file.read())
            print(name, len(images[-1]), 'bytes')
        differing = [way[0] for way, image in zip(ways, images) if image != images[0]]
        print('not as the first:', differing)
        return 1 if differing else 0


sys.exit(main())
