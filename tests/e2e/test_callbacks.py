"""Callbacks while the backend is slow, moody or dead, the disk full, and the guard killed."""

import contextlib
import random
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from guard import Guard
from store_side import wait
from test_store_trouble import SmallDisk, SmallFiles
from twilio_side import CALL, call

REDELIVER = 'callbacks = "redeliver"\n[[route]]\npath = "/status"\nslot = "callback"\n'
ACK = '[[route]]\npath = "/status"\nslot = "callback"\n'
CONNECT = b'<Response><Connect action="/ended"><Stream url="wss://pbx.example.com/ws"/></Connect></Response>'
HANG_UP = b"<Response><Say>Goodbye.</Say></Response>"


class Backend:
    """Takes callbacks by its mood: a function that gives (status, seconds until it says so)."""

    def __init__(self):
        self.mood = lambda: (204, 0)
        self.asked = []
        self.taken = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                told = (form["CallSid"][0], int(form.get("SequenceNumber", ["0"])[0]))
                outer.asked.append(told)
                status, seconds = outer.mood()
                time.sleep(seconds)
                if status == 0:
                    self.close_connection = True
                    return
                body = b""
                if status // 100 == 2:
                    outer.taken.append(told)
                    body = {"/voice": CONNECT, "/ended": HANG_UP}.get(self.path, b"")
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Type", "text/xml" if body else "text/plain")
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def firsts(self, sid):
        """The sequence numbers of a call in the order in which they were first taken."""
        return list(dict.fromkeys(number for own, number in self.taken if own == sid))


@pytest.fixture
def moody(binary):
    backend = Backend()
    yield backend
    backend.server.shutdown()
    backend.server.server_close()


def start(port, state, config=REDELIVER, **more):
    return Guard(f"http://127.0.0.1:{port}", "--state-dir", str(state), config=config, **more)


def tell(port, sid, number, **more):
    """A status callback; Twilio's token is another for each."""
    headers = [("I-Twilio-Idempotency-Token", f"{sid}-{number}")]
    return call(port, "/status", CALL | {"CallSid": sid, "CallStatus": "in-progress", "SequenceNumber": str(number)} | more, headers=headers)


def sid(number):
    return f"CA{number:032x}"


def said(guard, part):
    return [event for event in guard.events if part in event.get("message", "")]


def test_no_acknowledged_callback_is_lost_by_kill_9(moody, tmp_path):
    chance = random.Random(7)
    moody.mood = lambda: chance.choice([(204, 0), (204, 0.01), (503, 0), (0, 0), (204, 1.3)])
    acknowledged = {sid(n): [] for n in range(6)}
    running = [start(moody.port, tmp_path)]
    stop = threading.Event()

    def talk(own):
        number = 0
        while not stop.is_set():
            with contextlib.suppress(OSError, ConnectionError):
                reply = tell(running[-1].port, own, number)
                assert reply.status // 100 == 2, reply
                acknowledged[own].append(number)
                number += 1
            time.sleep(0.02)

    talkers = [threading.Thread(target=talk, args=(own,)) for own in acknowledged]
    for talker in talkers:
        talker.start()
    for _ in range(4):
        time.sleep(chance.uniform(0.6, 1.4))
        running[-1].process.kill()
        running[-1].process.wait()
        running.append(start(moody.port, tmp_path))
    time.sleep(0.5)
    stop.set()
    for talker in talkers:
        talker.join()
    running[-1].process.kill()
    running[-1].process.wait()
    moody.mood = lambda: (204, 0)
    running.append(start(moody.port, tmp_path))
    try:
        assert sum(map(len, acknowledged.values())) > 60
        wait(lambda: all(set(numbers) <= set(moody.firsts(own)) for own, numbers in acknowledged.items()), 40)
        for own in acknowledged:
            assert moody.firsts(own) == sorted(moody.firsts(own))
        assert any("callbacks of an earlier run" in event.get("message", "") for guard in running for event in guard.events)
        wait(lambda: running[-1].gauge("twiml_guard_callbacks_waiting") == 0, 10)
    finally:
        for guard in running:
            guard.close()


def test_what_waits_outlives_a_backend_that_stays_dead(moody, tmp_path):
    with start(1, tmp_path) as guard:
        for number in range(3):
            assert tell(guard.port, sid(1), number).status == 204
        assert guard.terminate() == 0
    with start(1, tmp_path) as guard:
        assert guard.event(lambda event: "earlier run" in event["message"])["count"] == 3
        assert tell(guard.port, sid(1), 3).status == 204
        assert guard.terminate() == 0
    with start(moody.port, tmp_path):
        wait(lambda: moody.firsts(sid(1)) == [0, 1, 2, 3], 20)


@pytest.mark.parametrize("kind", [SmallDisk, SmallFiles])
def test_a_full_disk_stops_no_callback_and_the_queue_comes_back(moody, tmp_path, kind):
    disk = kind(tmp_path)
    try:
        moody.mood = lambda: (503, 0)
        with start(moody.port, tmp_path, **disk.options) as guard:
            assert tell(guard.port, sid(0), 0).status == 204
            disk.fill(guard)
            for number in range(1, 30):
                assert tell(guard.port, sid(number), 0, Filler="x" * 4000).status == 204
            failure, = said(guard, "can't be put on disk")
            assert failure["level"] == "ERROR"
            disk.free(guard)
            assert tell(guard.port, sid(99), 0).status == 204
            assert guard.event(lambda event: "put on disk again" in event["message"])
            moody.mood = lambda: (204, 0)
            wait(lambda: moody.firsts(sid(0)) and moody.firsts(sid(99)), 20)
            assert guard.terminate() == 0
    finally:
        disk.close()


def test_a_full_queue_says_so_once(moody, tmp_path):
    moody.mood = lambda: (503, 0)
    with start(moody.port, tmp_path, 'callbacks_max_size = "1MiB"\n' + REDELIVER) as guard:
        for number in range(24):
            assert tell(guard.port, sid(number), 0, Filler="x" * 60_000).status == 204
        event, = said(guard, "queue of callbacks is full")
        assert event["level"] == "ERROR" and event["count"] > 10


def test_a_damaged_queue_is_put_aside(moody, tmp_path):
    path = tmp_path / "callbacks.db"
    path.write_bytes(b"no database at all, but some text. " * 200)
    moody.mood = lambda: (503, 0)
    with start(moody.port, tmp_path) as guard:
        event = guard.event(lambda event: "queue of callbacks is damaged" in event["message"])
        assert open(event["aside"], "rb").read().startswith(b"no database")
        assert tell(guard.port, sid(1), 0).status == 204
        moody.mood = lambda: (204, 0)
        wait(lambda: moody.firsts(sid(1)) == [0], 10)


def test_a_slow_callback_is_acknowledged_and_asked_once(moody, tmp_path):
    moody.mood = lambda: (200, 3)
    with start(moody.port, tmp_path, ACK) as guard:
        reply = tell(guard.port, sid(1), 0)
        assert reply.status == 204 and 0.8 < reply.seconds < 2
        event = guard.incident(reply.one("Twiml-Guard-Incident"), 10)
        assert event["cause"] == "callback-slow"
        assert re.search(r"acknowledged for you after 1\.\d s, the backend answered 200 after 3\.\d s", str(event)), event
        assert moody.asked == [(sid(1), 0)]


def test_an_action_with_the_marks_of_a_callback_is_waited_for(moody, tmp_path):
    moody.mood = lambda: (200, 1.6)
    with start(moody.port, tmp_path, 'callbacks = "redeliver"\n') as guard:
        assert call(guard.port, "/voice").body == CONNECT
        marks = {"CallStatus": "in-progress", "CallbackSource": "call-progress-events", "SequenceNumber": "2"}
        reply = call(guard.port, "/ended", CALL | marks)
        assert (reply.status, reply.body) == (200, HANG_UP) and reply.seconds > 1.5
