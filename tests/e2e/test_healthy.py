"""A working app works behind the guard: what is fit leaves byte for byte, what is no webhook streams through."""

import hashlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import contract
from faults import HOST, MENU
from guard import Guard
from twilio_side import CALL, MESSAGE, call, exchange, plain, signature, split_head, webhook

DOCUMENTS = [json.loads(line) for line in (Path(__file__).parents[1] / "data/documents/documents.jsonl").read_text().splitlines()]
HEALTHY = {
    "incoming call": ("/webhook/incoming_call", CALL),
    "menu": ("/voice", CALL),
    "own headers": ("/voice/headers", CALL),
    "chunked": ("/voice/chunked", CALL),
    "no declaration": ("/voice/bare", CALL),
    "audio": ("/voice/audio", CALL),
    "prose": ("/voice/prose", CALL),
    "message": ("/sms", MESSAGE),
}


def end_to_end(reply):
    """Without Date, which two answers need not share."""
    return [pair for pair in reply.end_to_end() if pair[0] != "date"]


@pytest.mark.parametrize("name", HEALTHY)
def test_fit_answer_is_untouched(guard, flask, name):
    path, parameters = HEALTHY[name]
    direct = call(flask, path, parameters)
    guarded = call(guard.port, path, parameters)
    assert guarded.status == 200
    if name == "chunked":
        assert direct.all("Transfer-Encoding") == ["chunked"]
        assert guarded.body == MENU
    else:
        assert guarded.body == direct.body
    assert end_to_end(guarded) == end_to_end(direct)
    contract.assert_framed(guarded)
    assert len(guarded.all("Date")) == 1


@pytest.fixture(scope="module")
def document_guard(binary):
    """A backend that answers with the document that the query names, in a guard that knows each slot's route."""
    class Documents(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = DOCUMENTS[int(self.path.split("=")[1])]["xml"].encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    slots = sorted({entry["slot"] for entry in DOCUMENTS})
    config = "".join(f'[[route]]\npath = "/{slot}"\nslot = "{slot}"\n\n' for slot in slots)
    with Guard(f"http://127.0.0.1:{server.server_port}", config=config) as running:
        yield running
    server.shutdown()


def test_documents_of_the_sdk_are_untouched(document_guard):
    """All of them over one kept connection."""
    with socket.create_connection(("127.0.0.1", document_guard.port), timeout=30) as conn:
        pending = b""
        for number, entry in enumerate(DOCUMENTS):
            parameters = MESSAGE if entry["slot"] == "messaging" else CALL
            conn.sendall(webhook(f"/{entry['slot']}?n={number}", parameters, close=False))
            while b"\r\n\r\n" not in pending:
                chunk = conn.recv(65536)
                assert chunk, f"closed at {entry['name']}"
                pending += chunk
            first, headers, pending = split_head(pending)
            length = next(int(value) for name, value in headers if name.lower() == "content-length")
            while len(pending) < length:
                pending += conn.recv(65536)
            body, pending = pending[:length], pending[length:]
            assert " 200 " in first, entry["name"]
            assert body == entry["xml"].encode(), entry["name"]
            assert contract.INCIDENT.lower() not in [name.lower() for name, _ in headers], entry["name"]


def test_cookies_outlive_a_repair_and_validators_do_not(guard):
    reply = call(guard.port, "/voice/broken_headers")
    contract.assert_outcome(reply, "repaired", MENU, exact=True)
    assert reply.all("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/; HttpOnly"]
    assert reply.all("X-App") == ["pbx"]


# What reaches the backend ------------------------------------------------------------------------------


def received(backend):
    assert len(backend.seen) == 1
    line, headers, body = split_head(backend.seen[0])
    return line, headers, body


def test_the_request_reaches_the_backend_as_sent(raw_guard, backend):
    backend.seen.clear()
    target = "/other//path/%7Euser;v=1/?a=1&b=%20+%2B&c=%D7%A9&d&e=&a=2"
    sent = webhook(target, CALL | {"Body": "a b+c&d=é"}, headers=[("X-Own", "1"), ("x-own", "2"), ("Cookie", "s=1; t=2")])
    assert exchange(raw_guard.port, sent).status == 200
    line, headers, body = received(backend)
    assert line == f"POST {target} HTTP/1.1"
    assert body == sent.partition(b"\r\n\r\n")[2]
    _, own, _ = split_head(sent)
    dropped = {"connection"}
    got = [(name.lower(), value) for name, value in headers]
    for name, value in own:
        if name.lower() not in dropped:
            assert (name.lower(), value) in got, name
    assert [value for name, value in got if name == "x-own"] == ["1", "2"]
    assert [value for name, value in got if name == "host"] == [HOST]
    assert [value for name, value in got if name == "x-forwarded-proto"] == ["https"]
    assert [value for name, value in got if name == "x-forwarded-host"] == [HOST]
    assert [value for name, value in got if name == "accept-encoding"] == ["identity"]
    assert len([value for name, value in got if name == "content-length"]) == 1


def test_conditions_and_ranges_do_not_reach_a_guarded_route(raw_guard, backend):
    backend.seen.clear()
    conditional = [("If-None-Match", '"v1"'), ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT"), ("Range", "bytes=0-9"),
                   ("If-Range", '"v1"'), ("Accept-Encoding", "gzip, br")]
    assert call(raw_guard.port, "/other", headers=conditional).status == 200
    _, headers, _ = received(backend)
    names = [name.lower() for name, _ in headers]
    assert not {"if-none-match", "if-modified-since", "range", "if-range"} & set(names)
    assert [value for name, value in headers if name.lower() == "accept-encoding"] == ["identity"]


def test_hop_by_hop_headers_end_here(raw_guard, backend):
    backend.seen.clear()
    sent = webhook("/other", headers=[("Connection", "X-Secret"), ("X-Secret", "1"), ("Keep-Alive", "timeout=5"), ("TE", "trailers, deflate;q=0.5"),
                                      ("Proxy-Connection", "keep-alive"), ("Via", "1.0 edge"), ("X-Forwarded-For", "198.51.100.7")])
    assert exchange(raw_guard.port, sent).status == 200
    _, headers, _ = received(backend)
    got = {name.lower(): value for name, value in headers}
    assert {"x-secret", "keep-alive", "proxy-connection"} & set(got) == set()
    # What the guard itself can read is its own to say.
    assert got.get("te") in (None, "trailers")
    assert got["x-forwarded-for"].replace(" ", "") == "198.51.100.7,127.0.0.1"
    assert got["via"].startswith("1.0 edge, 1.1 ")


def test_an_edge_on_loopback_may_say_what_the_public_url_is(binary, backend):
    with Guard(f"http://127.0.0.1:{backend.port}", public_url=None) as guard:
        backend.seen.clear()
        edge = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "www.example.com")]
        assert call(guard.port, "/other", headers=edge).status == 200
        _, headers, _ = received(backend)
        got = {name.lower(): value for name, value in headers}
        assert (got["x-forwarded-proto"], got["x-forwarded-host"], got["host"]) == ("https", "www.example.com", HOST)


@pytest.mark.parametrize("target", ["/signed", "/signed/a?x=1&y=2", "/signed/b//%7Eu?q=%20+%2B&r=%D7%A9&s=&t", "/signed/c%2Fd?u='(!)"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_twilios_validator_accepts_what_came_through(guard, flask, target, method):
    direct = call(flask, target, method=method, headers=[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", HOST)])
    assert direct.status == 200, "the app itself refuses this signature"
    reply = call(guard.port, target, method=method)
    contract.assert_outcome(reply, "untouched")
    assert reply.body == direct.body


def test_a_wrong_signature_is_still_refused(guard):
    sent = webhook("/signed").replace(signature(f"https://{HOST}/signed", CALL).encode(), b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    reply = exchange(guard.port, sent)
    contract.assert_outcome(reply, "replaced")
    contract.assert_logged(guard, reply, "replaced", 403)


# What is no webhook ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "POST"])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_other_requests_pass_as_they_are(guard, flask, method, status):
    target = f"/anything/a%20b?status={status}"
    direct, passed = (plain(port, method, target, body=b"x=1" if method in ("PUT", "POST", "PATCH") else b"") for port in (flask, guard.port))
    assert (passed.status, passed.body) == (status, direct.body)
    assert end_to_end(passed) == end_to_end(direct)
    assert passed.all(contract.INCIDENT) == []


def test_head_has_no_body(guard):
    reply = plain(guard.port, "HEAD", "/anything/x")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.one("X-Method") == "HEAD"


def test_a_missing_page_stays_missing(guard):
    reply = plain(guard.port, "GET", "/no/such/page")
    assert reply.status == 404
    assert b"<title>404 Not Found</title>" in reply.body


STREAM_EVENT = CALL | {"StreamSid": "MZ" + "0" * 32, "StreamEvent": "stream-started", "Timestamp": "2026-01-01T00:00:00Z"}


def test_callbacks_pass_as_they_are(guard, flask):
    path = "/webhook/stream_status"
    direct, passed = call(flask, path, STREAM_EVENT), call(guard.port, path, STREAM_EVENT)
    assert (passed.status, passed.body) == (direct.status, direct.body)
    assert passed.all(contract.INCIDENT) == []


def test_a_failing_callback_is_acknowledged(guard):
    reply = call(guard.port, "/fault/2/html-500", STREAM_EVENT)
    assert (reply.status, reply.body) == (204, b"")
    contract.assert_logged(guard, reply, "replaced", 500)


def test_twenty_megabytes_up_and_down(guard):
    block = bytes(range(251)) * 83_560
    body = block[: 20 * 1024 * 1024]
    reply = plain(guard.port, "POST", "/upload", [("Content-Type", "application/octet-stream")], body, timeout=120)
    assert json.loads(reply.body) == {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
    reply = plain(guard.port, "GET", f"/download/{len(body)}", timeout=120)
    assert hashlib.sha256(reply.body).hexdigest() == hashlib.sha256((bytes(range(256)) * 81920)[: len(body)]).hexdigest()


def test_events_arrive_one_by_one(guard):
    with socket.create_connection(("127.0.0.1", guard.port), timeout=10) as conn:
        conn.sendall(f"GET /events HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n".encode())
        times, data = [], b""
        while chunk := conn.recv(65536):
            before = data.count(b"data: ")
            data += chunk
            times += [time.monotonic()] * (data.count(b"data: ") - before)
    assert len(times) == 5
    assert times[4] - times[0] > 0.5, "they came all at once"
    assert min(later - earlier for earlier, later in zip(times, times[1:])) > 0.05
