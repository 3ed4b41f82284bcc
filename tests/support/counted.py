"""What a run takes, counted by the machine itself."""
import re
import subprocess


def run_counted(weft, path, status=0):
    """([instructions, bytes allocated], standard error) of a program that ends with this status"""
    done = subprocess.run([weft, '--stats', path], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == status, done.stderr[:2000]
    return [int(re.search(rf'^{name} +(\d+)$', done.stderr, re.M).group(1))
            for name in ('instructions', 'bytes allocated')], done.stderr
