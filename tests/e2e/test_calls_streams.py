"""Streams through the guard: what was wrong with a socket is named, and the caller is spoken to by the action that follows."""

import socket

import pytest

import agents
from guarded_calls import ENDED, ROLE, STATUS, VOICE, assert_spoken_to
from platform_edge import Caller, Edge
from twilio_side import HOST, plain, split_head

MEDIA = "/ws/twilio-media"


@pytest.mark.parametrize(("path", "status"), [("/ws/plain", 400), ("/ws/typo", 400), ("/ws/unsupported", 501)])
def test_f2_what_is_not_registered_as_a_socket(flask_agent, broken, guarded, path, status):
    broken(stream=f"wss://{HOST}{path}", action="204")
    guard = guarded(flask_agent)
    call = guard.call()
    assert call.streams[0].status == status
    assert call.errors() == [31920]
    assert any("sorry" in heard for heard in call.heard)
    guard.blame(path, "31920 ahead: ", path, str(status), "; fix: ")
    guard.blame(ENDED, f"12100 averted: POST {ENDED} is the {ROLE}", str(status))


def test_f2_closing_before_accepting(starlette_agent, broken, guarded):
    broken(ws="refuses", action="204")
    guard = guarded(starlette_agent)
    call = guard.call()
    assert call.streams[0].status == 403 and call.errors() == [31920]
    guard.blame(MEDIA, "31920 ahead: ", "403")


def test_f3_what_is_no_websocket_is_stopped(flask_agent, broken, guarded):
    broken(ws="raises", action="204")
    guard = guarded(flask_agent)
    call = guard.call()
    assert call.streams[0].status == 101
    assert (call.streams[0].closed_by, call.streams[0].code) == ("backend", 1011)
    assert 31924 not in call.logged() and call.blamed(31921).endswith(MEDIA)
    assert any("sorry" in heard for heard in call.heard)
    guard.blame(MEDIA, "31924", "HTTP/1.1 500", "; fix: ")
    guard.blame(ENDED, f"12100 averted: POST {ENDED} is the {ROLE}")


def test_f3_a_handler_that_raises_under_uvicorn(starlette_agent, broken, guarded):
    """uvicorn says 1011 itself."""
    broken(ws="raises", action="204")
    guard = guarded(starlette_agent)
    call = guard.call()
    assert call.streams[0].closed_by == "backend" and 31924 not in call.logged()
    guard.blame(MEDIA, MEDIA, "; fix: ")
    guard.blame(ENDED, "12100 averted: ")


def test_f4_a_stream_that_died_is_a_finding(either, broken, guarded):
    broken(ws="dies", action="204")
    guard = guarded(either)
    assert_spoken_to(guard.call())
    event = guard.blame(MEDIA, MEDIA, "0 audio out", "closed 1000 by the backend")
    # flask-sock is gone before Twilio's `start` came.
    assert event["cause"] in ("stream-died-at-once", "stream-never-started")


@pytest.mark.parametrize("headers", [[], [("User-Agent", "Twilio.TmeWs/1.0")]])
def test_a_stream_route_without_an_upgrade(flask_agent, broken, guarded, headers):
    """On a configured route for everybody; on one that was learnt for Twilio's client alone."""
    guard = guarded(flask_agent, "" if headers else f'[[route]]\npath = "{MEDIA}"\nslot = "stream"\n')
    guard.call(Caller(hangs_up_after=0.1))
    reply = plain(guard.guard.port, "GET", MEDIA, headers)
    assert reply.status == 426, reply
    assert b"<html" not in reply.body and reply.one("Upgrade") == "websocket"


def handshake(port):
    """The head of what a handshake with a query is answered with."""
    request = (f"GET {MEDIA}?a=1&b=%20c HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Twilio.TmeWs/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as conn:
        conn.sendall(request.encode())
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += conn.recv(4096)
        line, headers, _ = split_head(raw)
    return line, {name.lower(): value for name, value in headers}


def test_no_subprotocol_is_demanded_or_added_and_the_query_is_kept(flask_agent, broken, guarded):
    guard = guarded(flask_agent)
    direct, behind = handshake(flask_agent), handshake(guard.guard.port)
    assert direct[0].split()[1] == behind[0].split()[1] == "101"
    assert behind[1]["sec-websocket-accept"] == direct[1]["sec-websocket-accept"] and "sec-websocket-protocol" not in behind[1]
    # Twice asked, twice the same query.
    asked = [(path, values) for _, path, values, _ in agents.SEEN]
    assert asked == [(MEDIA, {"a": "1", "b": " c"})] * 2


def test_audio_both_ways_is_unaltered(either, broken, guarded):
    guard = guarded(either)
    direct = Edge(either).call(Caller(hangs_up_after=0.5))
    behind = guard.call(Caller(hangs_up_after=0.5))
    assert behind.codes == direct.codes == []
    assert behind.streams[0].audio >= behind.streams[0].sent - 2 and behind.streams[0].audio > 10
    assert [one.form["StreamEvent"] for one in behind.on(STATUS)] == ["stream-started", "stream-stopped"]
    assert guard.incidents() == []


def test_a_stream_that_never_came(flask_agent, broken, guarded):
    """Twilio asks the action, and no socket was opened: its own path never passed here."""
    guard = guarded(flask_agent)
    broken(action="204")
    edge = Edge(guard.guard.port)
    sid = "CA" + "3" * 32
    form = {"CallSid": sid, "AccountSid": "AC0123456789abcdef0123456789abcdef", "CallStatus": "in-progress", "From": "+15550100001", "To": "+15550100002",
            "Direction": "inbound", "ApiVersion": "2010-04-01"}
    edge.ask(edge.url(VOICE), "POST", form)
    asked = edge.ask(edge.url(ENDED), "POST", form)
    assert b"<Say" in asked.body
    guard.blame(ENDED, "its stream was never opened", MEDIA)
