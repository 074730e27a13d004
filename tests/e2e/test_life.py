"""Start, configuration, ops listener, hostile requests, and the end of the process."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import contract
from faults import MENU
from guard import BINARY, Guard
from raw_backend import Backend
from twilio_side import CALL, HOST, MESSAGE, call, exchange, plain, webhook

ROUTES = """
[[route]]
path = "/configured/voice"
slot = "voice"

[[route]]
path = "/configured/whisper"
slot = "whisper"

[[route]]
path = "/configured/wait"
slot = "wait"

[[route]]
path = "/configured/callback"
slot = "callback"

[[route]]
path = "/configured/media/*"
slot = "voice"
upstream = "http://127.0.0.1:{other}"
"""


# Slots from the configuration ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def configured(binary, flask, backend):
    """The configured paths exist nowhere: the app answers 404 to each of them."""
    with Guard(f"http://127.0.0.1:{flask}", config=ROUTES.format(other=backend.port)) as running:
        yield running


def test_a_configured_route_guards_unmarked_requests(configured):
    reply = plain(configured.port, "GET", "/configured/voice")
    contract.assert_outcome(reply, "replaced")
    assert b"<Say" in reply.body


def test_a_whisper_falls_back_to_nothing(configured):
    contract.assert_outcome(call(configured.port, "/configured/whisper"), "replaced", b"<Response/>")


def test_a_wait_falls_back_to_a_pause(configured):
    contract.assert_outcome(call(configured.port, "/configured/wait"), "replaced", b'<Response><Pause length="10"/></Response>')


def test_a_callback_keeps_what_the_backend_said(configured):
    reply = call(configured.port, "/configured/callback")
    assert reply.status in (204, 404)


def test_a_route_may_have_its_own_upstream(configured, backend):
    backend.seen.clear()
    contract.assert_outcome(call(configured.port, "/configured/media/x"), "untouched", MENU)
    assert len(backend.seen) == 1


def test_everything_else_still_goes_to_the_app(configured):
    assert plain(configured.port, "GET", "/anything/x").body == b"GET x"


def test_a_fallback_from_the_configuration(binary, flask):
    config = '[[route]]\npath = "/fault/*"\nslot = "voice"\nfallback = "<Response><Say>Call us back, please.</Say></Response>"\n'
    with Guard(f"http://127.0.0.1:{flask}", config=config) as guard:
        contract.assert_outcome(call(guard.port, "/fault/2/html-500"), "replaced", b"<Response><Say>Call us back, please.</Say></Response>")


def test_observing_changes_nothing_and_tells(binary, flask):
    with Guard(f"http://127.0.0.1:{flask}", "--observe") as guard:
        for path in ("/fault/2/html-500", "/fault/1/html", "/redirect/307/relative"):
            direct, observed = call(flask, path), call(guard.port, path)
            assert (observed.status, observed.body) == (direct.status, direct.body)
            assert observed.all("Content-Type") == direct.all("Content-Type")
            assert guard.event(lambda event: event.get("cause"))


def test_failing_on_purpose_lets_twilios_fallback_url_act(binary, flask):
    config = '[[route]]\npath = "/fault/*"\nslot = "voice"\non_fault = "fail"\n'
    with Guard(f"http://127.0.0.1:{flask}", config=config) as guard:
        assert call(guard.port, "/fault/2/html-500").status == 502
        contract.assert_outcome(call(guard.port, "/fault/3/bom"), "repaired", MENU)


@pytest.mark.parametrize(("config", "parts"), [
    ("budgett = \"1s\"\n", ["budgett", "budget", "1:"]),
    ("[[route]]\npath = 7\n", ["path", "2:"]),
    ("[[route]]\npath = \"/a\"\nslot = \"voyce\"\n", ["voyce", "voice", "3:"]),
    ("budget = \"never\"\nbudgett = 1\n", ["never", "budgett"]),
    ("this is no toml\n", ["1:"]),
    ("[[route]]\npath = \"/a\"\nslot = \"voice\"\nfallback = \"<Response><Say>a & b</Say></Response>\"\n", ["fallback"]),
])
def test_a_wrong_configuration_is_named(binary, tmp_path, config, parts):
    path = tmp_path / "wrong.toml"
    path.write_text(config)
    done = subprocess.run([str(BINARY), "serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--config", str(path)],
                          capture_output=True, text=True, timeout=20, cwd=tmp_path, check=False)
    assert done.returncode == 78, done.stderr
    for part in ["wrong.toml", *parts]:
        assert part in done.stderr
    assert done.stdout == ""


# Ops -----------------------------------------------------------------------------------------------------


def test_ops_answers(guard):
    for path in ("/livez", "/readyz"):
        assert plain(guard.ops_port, "GET", path).status == 200
    assert plain(guard.ops_port, "GET", "/nothing").status == 404
    assert plain(guard.ops_port, "GET", "/metrics").one("Content-Type").startswith("text/plain")


def test_metrics_please_promtool(guard):
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing; it comes with Debian's package prometheus"
    call(guard.port, "/fault/2/html-500")
    call(guard.port, "/fault/3/bom")
    call(guard.port, "/sms", MESSAGE)
    done = subprocess.run([promtool, "check", "metrics"], input=guard.metrics(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_metrics_hold_nothing_of_the_calls(guard):
    call(guard.port, "/fault/2/html-500?token=hunter2")
    metrics = guard.metrics()
    for private in (CALL["CallSid"], CALL["From"], "hunter2", HOST):
        assert private not in metrics


def test_durations_have_a_bucket_at_twilios_limit(guard):
    call(guard.port, "/voice")
    bounds = {float(labels["le"]) for name, labels, _ in guard.samples() if name.endswith("_bucket")}
    assert {13.0, 15.0} & bounds and any(bound > 15 for bound in bounds)


def test_the_public_listener_has_no_ops(guard):
    assert plain(guard.port, "GET", "/metrics").status == 404
    assert plain(guard.port, "GET", "/livez").status == 404


def test_a_taken_default_ops_port_is_said_and_survived(binary, flask):
    taken = socket.socket()
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 9900))
        taken.listen()
    except OSError:
        pass  # somebody else has it, which is the same to the guard
    try:
        with Guard(f"http://127.0.0.1:{flask}", ops=None) as guard:
            contract.assert_outcome(call(guard.port, "/voice"), "untouched")
            assert guard.event(lambda event: "9900" in str(event) and event.get("level") in ("WARN", "ERROR"))
    finally:
        taken.close()


def test_a_taken_configured_ops_port_is_an_error(binary, flask):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([str(BINARY), "serve", "--listen", "127.0.0.1:0", "--upstream", f"http://127.0.0.1:{flask}",
                               "--ops", f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode not in (0, 101)
    assert str(port) in done.stderr


def test_a_taken_public_port_is_an_error(binary, flask):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([str(BINARY), "serve", "--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{flask}", "--ops", "off"],
                              capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode not in (0, 101)
    assert str(port) in done.stderr


# Hostile requests ----------------------------------------------------------------------------------------
LONG = "x" * 200_000
HOSTILE = {
    "nothing": b"",
    "garbage": os.urandom(512) + b"\r\n\r\n",
    "no version": b"POST /voice\r\n\r\n",
    "long target": f"POST /{LONG} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "long header": f"POST / HTTP/1.1\r\nHost: x\r\nX: {LONG}\r\n\r\n".encode(),
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "broken chunks": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT example.net:443 HTTP/1.1\r\nHost: example.net:443\r\nConnection: close\r\n\r\n",
    "absolute target": b"GET http://example.net/anything/x HTTP/1.1\r\nHost: example.net\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_request_harms_nobody(guard, name):
    with socket.create_connection(("127.0.0.1", guard.port), timeout=10) as conn:
        try:
            conn.sendall(HOSTILE[name])
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(65536):
                pass
        except OSError:
            pass
    contract.assert_outcome(call(guard.port, "/voice"), "untouched", MENU)
    assert guard.process.poll() is None


def test_nothing_smuggled_reaches_the_app(guard, seen):
    try:
        exchange(guard.port, HOSTILE["length and chunks"])
    except ConnectionError:
        pass
    assert "/smuggled" not in [uri for _, uri, _ in seen]


def test_a_form_far_too_long_gets_an_answer(guard):
    reply = call(guard.port, "/voice", CALL | {"Body": "x" * 5_000_000})
    assert reply.status in (200, 413)
    if reply.status == 200:
        contract.assert_twiml(reply)


def test_fifty_at_once(guard):
    targets = ["/voice", "/fault/1/html", "/fault/2/html-500", "/fault/10/gzip", "/slow/0.3"] * 10
    replies = {}

    def ask(number, target):
        replies[number] = call(guard.port, target)

    threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(targets)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(replies) == len(targets)
    for number, target in enumerate(targets):
        contract.assert_outcome(replies[number], {"/voice": "untouched", "/slow/0.3": "untouched", "/fault/2/html-500": "replaced"}.get(target, "repaired"))


# The end -------------------------------------------------------------------------------------------------


def test_sigterm_lets_what_is_in_flight_finish(binary, flask):
    with Guard(f"http://127.0.0.1:{flask}") as guard:
        replies = []
        thread = threading.Thread(target=lambda: replies.append(call(guard.port, "/slow/1.5")))
        call(guard.port, "/fault/3/bom")
        call(guard.port, "/fault/2/html-500")
        thread.start()
        time.sleep(0.4)
        start = time.monotonic()
        code = guard.terminate()
        thread.join(10)
        assert code == 0
        assert time.monotonic() - start < 10
        assert len(replies) == 1
        contract.assert_outcome(replies[0], "untouched", MENU)
        with pytest.raises(ConnectionError):
            call(guard.port, "/voice")
        numbers = [event for event in guard.events if {"answers", "repaired", "replaced"} <= {key.rsplit(".", 1)[-1] for key in event}]
        assert numbers, "no summary line"
        summary = {key.rsplit(".", 1)[-1]: value for key, value in numbers[-1].items()}
        assert [int(summary[key]) for key in ("answers", "repaired", "replaced")] == [3, 1, 1]


def test_sigint_ends_it_too(binary, flask):
    with Guard(f"http://127.0.0.1:{flask}") as guard:
        guard.process.send_signal(2)
        assert guard.process.wait(20) == 0


def test_sighup_ends_nothing(binary, flask):
    with Guard(f"http://127.0.0.1:{flask}") as running, socket.create_connection(("127.0.0.1", running.port), 10) as kept:
        running.process.send_signal(signal.SIGHUP)
        running.event(lambda event: event.get("signal") == "SIGHUP")
        kept.sendall(webhook("/voice", CALL))
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert running.process.poll() is None


def test_an_idle_kept_connection_does_not_hold_up_the_end(binary, flask):
    with Guard(f"http://127.0.0.1:{flask}") as guard:
        with socket.create_connection(("127.0.0.1", guard.port), timeout=10) as conn:
            conn.sendall(webhook("/voice", close=False))
            assert conn.recv(65536).startswith(b"HTTP/1.1 200")
            start = time.monotonic()
            assert guard.terminate() == 0
            assert time.monotonic() - start < 5


def test_standard_output_stays_empty(binary, flask):
    with Guard(f"http://127.0.0.1:{flask}") as guard:
        call(guard.port, "/fault/2/html-500")
        assert guard.terminate() == 0
        assert guard.process.stdout.read() == ""


def test_a_restart_on_the_same_port_is_possible_at_once(binary):
    backend = Backend()
    try:
        with Guard(f"http://127.0.0.1:{backend.port}") as first:
            call(first.port, "/voice")
            port = first.port
            first.terminate()
        command = [str(BINARY), "serve", "--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{backend.port}", "--ops", "off"]
        second = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                try:
                    contract.assert_outcome(call(port, "/voice"), "untouched")
                    break
                except ConnectionError:
                    time.sleep(0.05)
            else:
                pytest.fail("did not come back")
        finally:
            second.terminate()
            second.wait(20)
    finally:
        backend.close()
