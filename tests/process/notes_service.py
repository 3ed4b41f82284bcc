#!/usr/bin/env python3
"""The sample web service, asked by an HTTP client of another language; with --browser, seen in Chromium."""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

SAMPLE = os.path.join(os.path.dirname(__file__), '..', '..', 'samples', 'notes_service.weft')


class Service:
    def __init__(self, weft, folder):
        environment = dict(os.environ, HOME=folder)
        self.process = subprocess.Popen([weft, SAMPLE, '0', os.path.join(folder, 'notes.db')],
                                        stdout=subprocess.PIPE, text=True, env=environment)
        line = self.process.stdout.readline()
        match = re.fullmatch(r'Serving (http://127\.0\.0\.1:\d+/)\n', line)
        assert match, f'first line: {line!r}'
        self.base = match.group(1)

    def get(self, path):
        with urllib.request.urlopen(self.base + path, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()

    def post(self, path, **values):
        data = urllib.parse.urlencode(values).encode()
        with urllib.request.urlopen(self.base + path, data, timeout=60) as answer:
            return answer.read().decode()

    def notes(self):
        return json.loads(self.get('notes.json')[2])

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)


def check(weft, folder, browser):
    service = Service(weft, folder)
    try:
        status, headers, page = service.get('')
        assert status == 200 and headers['Content-Type'].lower() == 'text/html; charset=utf-8', headers
        assert '<h1>Notes</h1>' in page and '<li' not in page
        page = service.post('add', title='<script>alert("x")</script> & \u20ac')
        assert '<script>' not in page and '&lt;script&gt;' in page and '&amp; \u20ac' in page, page
        assert service.notes() == [{'id': 1, 'title': '<script>alert("x")</script> & \u20ac', 'done': False}]
        service.post('toggle', id=1)
        assert service.notes()[0]['done'] is True
        service.post('add', title="it's; drop table notes; --")
        service.post('delete', id='1')
        assert [n['title'] for n in service.notes()] == ["it's; drop table notes; --"]
        for path, code in (('nowhere', 404), ('add', 405)):
            try:
                service.get(path)
                raise AssertionError(f'{path} should fail')
            except urllib.error.HTTPError as error:
                assert error.code == code, (path, error.code)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: service.post('add', title=f'note {n}'), range(40)))
        assert len(service.notes()) == 41
        assert sorted(n['title'] for n in service.notes() if n['title'].startswith('note')) == \
            sorted(f'note {n}' for n in range(40))
        if browser:
            dom = subprocess.run([browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
                                  '--no-first-run', '--disable-background-networking', '--disable-component-update',
                                  '--disable-sync', '--user-data-dir=' + os.path.join(folder, 'profile'),
                                  '--dump-dom', service.base],
                                 capture_output=True, text=True, timeout=120).stdout
            assert dom.count('<li') == 41 and '<h1>Notes</h1>' in dom, dom[:2000]
    finally:
        service.stop()
    service = Service(weft, folder)
    try:
        assert len(service.notes()) == 41, 'the notes of the first run'
    finally:
        service.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weft', required=True)
    parser.add_argument('--browser', action='store_true')
    arguments = parser.parse_args()
    browser = None
    if arguments.browser:
        browser = shutil.which('chromium') or shutil.which('chromium-browser')
        if browser is None:
            print('skipped: chromium is not installed')
            sys.exit(0)
    with tempfile.TemporaryDirectory() as folder:
        check(os.path.abspath(arguments.weft), folder, browser)
    print('passed')


if __name__ == '__main__':
    main()
