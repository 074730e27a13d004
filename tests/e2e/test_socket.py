"""The media WebSocket of the same app, through the guard."""

import os
import time

import pytest
import simple_websocket

from twilio_side import HOST, exchange, signature

AGENT = {
    "User-Agent": "Twilio.TmeWs/1.0",
    "X-Twilio-Signature": signature(f"wss://{HOST}/ws/twilio-media", {}),
}


@pytest.fixture
def media(guard):
    client = simple_websocket.Client.connect(f"ws://127.0.0.1:{guard.port}/ws/twilio-media", headers=AGENT)
    yield client
    if client.connected:
        client.close()


def test_two_hundred_frames_come_back_in_order(media):
    for number in range(200):
        frame = f'{{"event":"media","sequenceNumber":"{number}","media":{{"payload":"{"/" * 216}"}}}}'
        media.send(frame)
        assert media.receive(timeout=5) == frame


def test_frames_are_forwarded_at_once(media):
    media.send("warm up")
    media.receive(timeout=5)
    waits = []
    for number in range(50):
        start = time.monotonic()
        media.send(f"frame {number}")
        media.receive(timeout=5)
        waits.append(time.monotonic() - start)
    # Nagle's algorithm against delayed acknowledgements would cost 40 ms on each.
    assert sorted(waits)[25] < 0.03


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 1_000_000])
def test_binary_frames_of_every_length_form(media, size):
    frame = os.urandom(size)
    media.send(frame)
    assert media.receive(timeout=10) == frame


def test_silence_does_not_end_it(media):
    time.sleep(3)
    media.send("still there")
    assert media.receive(timeout=5) == "still there"


def test_the_backends_close_reaches_the_caller(media):
    media.send("bye")
    with pytest.raises(simple_websocket.ConnectionClosed) as closed:
        media.receive(timeout=5)
    assert closed.value.reason == 1000


def test_the_callers_end_reaches_the_backend(guard):
    for _ in range(5):
        client = simple_websocket.Client.connect(f"ws://127.0.0.1:{guard.port}/ws/twilio-media", headers=AGENT)
        client.send("x")
        assert client.receive(timeout=5) == "x"
        client.close()


def test_a_refused_upgrade_is_the_backends_refusal(guard):
    reply = exchange(guard.port, (
        f"GET /ws/refused HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: Twilio.TmeWs/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
    assert reply.status == 403
    assert b"Forbidden" in reply.body
