"""Requests signed by Twilio's own SDK: let in, refused, named, and signed anew for an app that checks the wrong URL."""

import hashlib
import json
import socket
import time
from urllib.parse import quote_plus, urlencode

import pytest
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

import contract
import strict
from guard import Guard
from twilio_side import CALL, HOST, MESSAGE, TOKEN, call, exchange, plain

SUBACCOUNT = "AC11111111111111111111111111111111"
OLD = "fedcba9876543210fedcba9876543210"
SUBTOKEN = "00112233445566778899aabbccddeeff"
ROUTES = """
[[route]]
path = "/voice"
[[route]]
path = "/media"
slot = "stream"
"""


def guarding(port, mode="enforce", more="", tokens=f"# rotation\n{OLD}\n{TOKEN}\n{SUBACCOUNT}:{SUBTOKEN}\n"):
    config = f'signature = "{mode}"\n{more}\n{ROUTES}'
    return Guard(f"http://127.0.0.1:{port}", config=config, env={"TWIML_GUARD_AUTH_TOKEN": tokens})


@pytest.fixture(scope="module")
def app():
    with strict.serving() as running:
        yield running


@pytest.fixture(scope="module")
def enforcing(binary, app):
    with guarding(app[0]) as guard:
        yield guard


def post(target, body, content_type, signature, headers=()):
    lines = [f"POST {target} HTTP/1.1", f"Host: {HOST}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Connection: close",
             f"X-Twilio-Signature: {signature}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def sdk(url, parameters, token=TOKEN):
    return RequestValidator(token).compute_signature(url, parameters)


@pytest.mark.parametrize("target", ["/voice", "/voice?lang=en&x=It%27s+a", "/voice?ort=M%C3%BCnchen", "/voice?a=1&a=2&empty="])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_sdk_signs_is_let_in(enforcing, target, method):
    before = enforcing.count("signatures", result="genuine")
    contract.assert_outcome(call(enforcing.port, target, method=method), "untouched", strict.MENU.encode())
    assert enforcing.count("signatures", result="genuine") == before + 1


@pytest.mark.parametrize("parameters", [
    CALL | {"Body": "שלום & ñáéíóú 🎉", "Empty": "", "Spaces": "  kept  "},
    CALL | {"SpeechResult": "don't + 100% #1"},
    MESSAGE,
])
def test_letters_of_any_script(enforcing, parameters):
    contract.assert_outcome(call(enforcing.port, "/voice", parameters), "untouched", strict.MENU.encode())


def test_repeated_parameters(enforcing):
    pairs = [*CALL.items(), ("MessagingBinding.Address", "+15550100009"), ("MessagingBinding.Address", "+15550100003")]
    body = urlencode(pairs).encode()
    signature = sdk(f"https://{HOST}/voice", MultiDict(pairs))
    reply = exchange(enforcing.port, post("/voice", body, "application/x-www-form-urlencoded", signature))
    contract.assert_outcome(reply, "untouched", strict.MENU.encode())
    more = body + b"&MessagingBinding.Address=%2B15550100004"
    assert exchange(enforcing.port, post("/voice", more, "application/x-www-form-urlencoded", signature)).status == 403


def test_json_bodies_by_their_digest(enforcing):
    body = json.dumps({"CallSid": CALL["CallSid"], "text": "שלום"}).encode()
    target = f"/voice?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = sdk(f"https://{HOST}{target}", {})
    assert exchange(enforcing.port, post(target, body, "application/json", signature)).status == 200
    assert exchange(enforcing.port, post(target, body + b" ", "application/json", signature)).status == 403
    assert exchange(enforcing.port, post("/voice", body, "application/json", sdk(f"https://{HOST}/voice", {}))).status == 403


@pytest.mark.parametrize("wrong", ["nothing", "token", "url", "parameter", "garbage"])
def test_forged_requests_never_reach_the_app(enforcing, app, wrong):
    app[1].clear()
    url = f"https://{HOST}/voice" if wrong != "url" else f"https://{HOST}/voice?x=1"
    parameters = CALL | {"Digits": "1"} if wrong == "parameter" else CALL
    signature = "%%%" if wrong == "garbage" else sdk(url, parameters, "0" * 32 if wrong == "token" else TOKEN)
    request = post("/voice", urlencode(CALL).encode(), "application/x-www-form-urlencoded", signature)
    if wrong == "nothing":
        request = request.replace(f"X-Twilio-Signature: {signature}\r\n".encode(), b"")
    reply = exchange(enforcing.port, request)
    assert (reply.status, reply.body) == (403, b"twiml-guard: forbidden\n")
    assert app[1] == []


def test_the_old_token_while_it_is_rotated_and_a_subaccounts_own(binary, enforcing):
    """The app knows one token only: it refuses the others, and the guard knows better."""
    for account, token in [(CALL["AccountSid"], OLD), (SUBACCOUNT, SUBTOKEN)]:
        parameters = CALL | {"AccountSid": account}
        body, signature = urlencode(parameters).encode(), sdk(f"https://{HOST}/voice", parameters, token)
        reply = exchange(enforcing.port, post("/voice", body, "application/x-www-form-urlencoded", signature))
        contract.assert_outcome(reply, "replaced")
        event = contract.assert_logged(enforcing, reply, "replaced")
        assert event["cause"] == "genuine-request-refused"
    body, signature = urlencode(CALL).encode(), sdk(f"https://{HOST}/voice", CALL, SUBTOKEN)
    assert exchange(enforcing.port, post("/voice", body, "application/x-www-form-urlencoded", signature)).status == 403


def handshake(port, target, signature=None):
    lines = [f"GET {target} HTTP/1.1", f"Host: {HOST}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "User-Agent: Twilio.TmeWs/1.0"]
    lines += [f"X-Twilio-Signature: {signature}"] if signature else []
    # A masked text frame `hi`, and a masked close.
    frames = b"\x81\x82\0\0\0\0hi" + b"\x88\x82\0\0\0\0\x03\xe8"
    return exchange_status(port, ("\r\n".join(lines) + "\r\n\r\n").encode() + frames)


def exchange_status(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as conn:
        conn.sendall(data)
        return int(conn.recv(65536).split(b" ")[1])


def test_streams_are_opened_by_twilio_only(enforcing, app):
    app[1].clear()
    for url in [f"wss://{HOST}/media", f"wss://{HOST}/media/", f"https://{HOST}/media"]:
        assert handshake(enforcing.port, "/media", sdk(url, {})) == 101
    deadline = time.monotonic() + 5
    while len(app[1]) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert app[1] == ["/media"] * 3
    for signature in [None, sdk(f"wss://{HOST}/other", {}), "x"]:
        assert handshake(enforcing.port, "/media", signature) == 403
    assert handshake(enforcing.port, "//media") == 403
    assert len(app[1]) == 3


@pytest.mark.parametrize("target", ["//voice", "/%76oice", "/x/../voice", "/voice/", "/VOICE", "/voice;x", "/voice.json"])
def test_another_spelling_leads_past_nothing(enforcing, app, target):
    app[1].clear()
    assert plain(enforcing.port, "GET", target).status == 403
    assert plain(enforcing.port, "POST", target, body=b"Digits=1").status == 403
    assert app[1] == []


def test_observe_refuses_nothing_and_leaves_a_rightful_refusal(binary, app):
    with guarding(app[0], "observe") as guard:
        contract.assert_outcome(call(guard.port, "/voice"), "untouched", strict.MENU.encode())
        body = urlencode(CALL).encode()
        for _ in range(3):
            reply = exchange(guard.port, post("/voice", body, "application/x-www-form-urlencoded", "Zm9yZ2Vk"))
            assert reply.status == 403 and b"Forbidden" in reply.body and not reply.all("Twiml-Guard-Incident")
        assert guard.count("signatures", result="forged") == 3
        assert guard.count("findings", cause="unauthorized") == 0
        guard.event(lambda event: event.get("message") == "a request that Twilio did not sign")
        told = [event for event in guard.events if event.get("message") == "a request that Twilio did not sign"]
        assert len(told) == 1 and told[0]["url.path"] == "/voice"
        assert TOKEN not in "".join(guard.lines)


def test_an_app_that_rebuilds_http_is_named(binary):
    with strict.serving(believes_the_front=False) as (port, seen), guarding(port, "observe") as guard:
        reply = call(guard.port, "/voice?x=1")
        contract.assert_outcome(reply, "replaced")
        event = contract.assert_logged(guard, reply, "replaced")
        assert event["cause"] == "genuine-request-refused"
        assert f"the signature is valid for https://{HOST}/voice?x=1; your app's check refused it" in json.dumps(event)
        assert len(seen) == 1


def test_signed_anew_its_calls_work(binary):
    with strict.serving(believes_the_front=False) as (port, seen), guarding(port, "observe", "resign = true") as guard:
        reply = call(guard.port, "/voice?x=1")
        contract.assert_outcome(reply, "repaired", strict.MENU.encode())
        event = contract.assert_logged(guard, reply, "repaired")
        assert event["cause"] == "signature-resigned"
        assert f"the app accepts the signature for http://{HOST}/voice?x=1: it rebuilds the URL wrongly" in json.dumps(event)
        assert len(seen) == 2
        contract.assert_outcome(call(guard.port, "/voice?x=1"), "repaired", strict.MENU.encode())
        assert len(seen) == 3
        body = urlencode(CALL).encode()
        assert exchange(guard.port, post("/voice", body, "application/x-www-form-urlencoded", "Zm9yZ2Vk")).status == 403
        assert len(seen) == 4
        assert TOKEN not in "".join(guard.lines)


def test_a_body_may_hold_anything(enforcing):
    value = "".join(chr(n) for n in range(32, 127))
    parameters = CALL | {"Body": value}
    body = "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in parameters.items()).encode()
    signature = sdk(f"https://{HOST}/voice", parameters)
    assert exchange(enforcing.port, post("/voice", body, "application/x-www-form-urlencoded; charset=UTF-8", signature)).status == 200
