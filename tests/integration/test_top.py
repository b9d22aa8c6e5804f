"""--top: what a bridge is doing, at a terminal and into a pipe."""

import contextlib
import fcntl
import http.server
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading

import pytest

from patience import WAIT_TIMEOUT_S
from servers import bridge_path, free_port, wait_until
from ws_client import WsClient

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
OURS = re.compile(rb"\x1b\[(\?1049[hl]|\?25[hl]|[HKJ])")


def top(where, timeout=WAIT_TIMEOUT_S):
    return subprocess.run(
        [bridge_path(), "--top", where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False
    )


class Terminal:
    """--top on a terminal of its own."""

    def __init__(self, where, rows=40, columns=100):
        self.seen = bytearray()
        self.fd, theirs = pty.openpty()
        self.before = termios.tcgetattr(self.fd)
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            [bridge_path(), "--top", where],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.pid = self.process.pid

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.fd], [], [], 0.05)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                return
            if not data:
                return
            self.seen += data

    def wait_for(self, pattern, since=0):
        def is_there():
            self.read()
            return re.search(pattern, self.seen[since:])

        return wait_until(is_there, f"{pattern!r} on the screen")

    def press(self, keys):
        os.write(self.fd, keys)

    def wait_end(self):
        """The exit status."""

        def has_ended():
            self.read()
            return self.process.poll() is not None

        wait_until(has_ended, "its end")
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.fd)


@contextlib.contextmanager
def terminal_of(where, **options):
    terminal = Terminal(where, **options)
    try:
        yield terminal
    finally:
        terminal.close()


def test_into_a_pipe_it_says_once_what_the_bridge_is_doing(bridge):
    with WsClient(bridge.port, "/ws?user=alice") as tab:
        tab.expect(type="connection")
        said = top(f"127.0.0.1:{bridge.port}")
    text = said.stdout.decode()
    assert (said.returncode, said.stderr) == (0, b"")
    assert re.search(r"^notify-bridge [\d.]+ at 127\.0\.0\.1:\d+: 1 of 1 ready$", text, re.M)
    assert re.search(r"^connections .* websocket 1  sse 0 ", text, re.M)
    assert re.search(r"messages in \d", text)  # a rate: it has asked twice
    assert "\x1b" not in text


def test_a_whole_address_will_do_and_what_is_none_is_told(bridge):
    assert top(f"http://127.0.0.1:{bridge.port}").returncode == 0
    assert top(f"http://127.0.0.1:{bridge.port}/metrics").returncode == 0
    for wrong in ("", "a b:1", "host:99999", "x" * 1000):
        said = top(wrong)
        assert said.returncode == 2, wrong


def test_where_nobody_answers_or_something_else_does_it_says_so(bridge):
    said = top(f"127.0.0.1:{free_port()}")
    assert said.returncode == 1
    assert re.search(rb"no numbers just now \(no connection", said.stdout)
    said = top(f"http://127.0.0.1:{bridge.port}/healthz")
    assert said.returncode == 1 and b"has no numbers of a bridge" in said.stdout


@pytest.mark.parametrize("keys", [b"q", b"Q", b"\x03"])
def test_at_a_terminal_it_goes_on_until_a_key_and_gives_the_terminal_back(bridge, keys):
    with terminal_of(f"127.0.0.1:{bridge.port}") as terminal:
        terminal.wait_for(rb"websocket 0 ")
        assert terminal.seen.startswith(ENTER)
        raw = termios.tcgetattr(terminal.fd)
        assert not raw[3] & termios.ICANON and not raw[3] & termios.ECHO
        with WsClient(bridge.port, "/ws?user=alice") as tab:
            tab.expect(type="connection")
            terminal.wait_for(rb"websocket 1 ")
        terminal.press(keys)
        assert terminal.wait_end() == 0
        assert terminal.seen.rstrip().endswith(LEAVE)
        assert terminal.seen.count(b"\x1b[?25h") == terminal.seen.count(b"\x1b[?25l") == 1
        assert termios.tcgetattr(terminal.fd)[3] == terminal.before[3]


def test_it_keeps_to_the_size_of_the_terminal_as_that_changes(bridge):
    with terminal_of(f"127.0.0.1:{bridge.port}", rows=6, columns=30) as terminal:
        terminal.wait_for(rb"websocket 0")
        mark = len(terminal.seen)
        terminal.wait_for(rb"\x1b\[J", since=mark)
        for screen in bytes(terminal.seen[mark:]).split(b"\x1b[H")[1:-1]:
            lines = OURS.sub(b"", screen).split(b"\r\n")
            assert len(lines) <= 6 and max(map(len, lines)) <= 30
        mark = len(terminal.seen)
        terminal.resize(50, 200)
        terminal.wait_for(rb"new/s", since=mark)
        terminal.press(b"q")
        assert terminal.wait_end() == 0


def test_a_bridge_that_ends_and_comes_back_is_shown_again(bridge):
    with terminal_of(f"127.0.0.1:{bridge.port}") as terminal:
        terminal.wait_for(rb"1 of 1 ready")
        bridge.terminate()
        terminal.wait_for(rb"no numbers just now")
        mark = len(terminal.seen)
        bridge.start()
        terminal.wait_for(rb"1 of 1 ready\x1b", since=mark)
        terminal.press(b"q")
        assert terminal.wait_end() == 0


class Hostile(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(body):
    handler = type("Handler", (Hostile,), {"body": body})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_whatever_a_server_says_reaches_the_terminal_as_letters_alone():
    evil = b"\x1b]0;owned\x07\x1b[2J\x9b5n"
    body = b'notify_ready 1\nnotify_build_info{version="' + evil + b'"} 1\nnotify_limit_hits_total{limit="' + evil + b'"} 5\n'
    body += evil + b"\nnotify_errors_total{code=\"" + b"\x00" * 100 + b"\"} 7\n" + b"\xff" * 100000
    with serving(body) as where:
        said = top(where)
        assert said.returncode == 0 and re.fullmatch(rb"[\n -~]*", said.stdout)
        with terminal_of(where) as terminal:
            terminal.wait_for(rb"limits")
            terminal.press(b"q")
            assert terminal.wait_end() == 0
            rest = OURS.sub(b"", bytes(terminal.seen))
            assert re.fullmatch(rb"[\r\n -~]*", rest), rest


def test_a_stopped_one_gives_the_terminal_back_and_takes_it_again(bridge):
    with terminal_of(f"127.0.0.1:{bridge.port}") as terminal:
        terminal.wait_for(rb"1 of 1 ready")
        os.kill(terminal.pid, signal.SIGTSTP)
        wait_until(lambda: is_stopped(terminal.pid), "its being stopped")
        terminal.read()
        assert terminal.seen.endswith(LEAVE)
        assert termios.tcgetattr(terminal.fd)[3] == terminal.before[3]
        mark = len(terminal.seen)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait_for(rb"1 of 1 ready", since=mark)
        terminal.press(b"q")
        assert terminal.wait_end() == 0


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"
