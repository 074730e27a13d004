"""Signatures, slow callbacks and Twilio's retries in whole calls through the guard."""

import time

import pytest

import agents
from guarded_calls import ENDED, SHORT, VOICE, assert_spoken_to
from platform_edge import Caller, Edge
from store_side import wait
from twilio_side import CALL, HOST, TOKEN

SIGNED = {"TWILIO_AUTH_TOKEN": TOKEN}
TENANT = f"{VOICE}?tenant=7"
CALL_STATUS = "/webhook/call_status"


def asked(path):
    return [values for _, own, values, _ in list(agents.SEEN) if own == path]


# F5 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["http", "no-query"])
def test_f5_the_apps_own_check_is_named(flask_agent, broken, guarded, how):
    broken(signature=how)
    guard = guarded(flask_agent, env=SIGNED)
    assert_spoken_to(guard.call(voice=TENANT, token=TOKEN))
    event = guard.blame(VOICE, f"11200 averted: POST {VOICE}", "403", f"the signature is valid for https://{HOST}{VOICE}?tenant=", "; fix: ")
    assert event["cause"] == "genuine-request-refused"


@pytest.mark.parametrize("how", ["http", "no-query"])
def test_f5_resigned_for_the_url_that_the_app_rebuilds(flask_agent, broken, guarded, how):
    broken(signature=how)
    guard = guarded(flask_agent, f"resign = true\n{SHORT}", env=SIGNED)
    call = guard.call(Caller(hangs_up_after=0.2), voice=TENANT, token=TOKEN)
    assert call.errors() == [] and call.heard[0] == "Connecting you."
    assert "http" in guard.event(VOICE)["summary"]


def test_f5_a_right_check_still_fits(flask_agent, broken, guarded):
    broken(signature="right")
    guard = guarded(flask_agent, 'signature = "enforce"\n', env=SIGNED)
    call = guard.call(Caller(hangs_up_after=0.2), voice=TENANT, token=TOKEN, status_callback=CALL_STATUS)
    assert call.codes == [] and call.streams[0].status == 101
    assert guard.incidents() == []


@pytest.mark.parametrize("token", [None, "f" * 32])
@pytest.mark.parametrize("path", [VOICE, "/webhook//incoming_call", "/webhook/incoming%5Fcall"])
def test_what_twilio_did_not_sign_never_reaches_the_app(flask_agent, broken, guarded, token, path):
    route = f'[[route]]\npath = "{VOICE}"\nslot = "voice"\n'
    guard = guarded(flask_agent, f'signature = "enforce"\n{route}', env=SIGNED)
    edge = Edge(guard.guard.port, token=token)
    assert edge.ask(edge.url(path), "POST", CALL).status == 403
    assert agents.SEEN == []
    assert guard.incidents() == []


# F10 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", ["1.5", "3"])
def test_f10_a_slow_callback_is_acknowledged(flask_agent, broken, guarded, seconds):
    broken(status=f"slow-{seconds}")
    guard = guarded(flask_agent)
    edge = Edge(guard.guard.port)
    told = edge.ask(edge.url(CALL_STATUS), "POST", CALL | {"CallStatus": "completed", "CallbackSource": "call-progress-events", "SequenceNumber": "0"})
    assert told.status == 204 and told.seconds < 1.4
    assert len(asked(CALL_STATUS)) == 1
    event = guard.event(CALL_STATUS)
    assert event["cause"] == "callback-slow", event


def test_f10_the_call_never_notices(flask_agent, broken, guarded):
    broken(status="slow-3")
    call = guarded(flask_agent).call(Caller(hangs_up_after=0.2), status_callback=CALL_STATUS, budget=1.4)
    assert call.codes == []


def test_failing_callbacks_are_told_once_with_a_count(flask_agent, broken, guarded):
    broken(status="database")
    guard = guarded(flask_agent)
    edge = Edge(guard.guard.port)
    for number in range(5):
        more = {"CallStatus": "completed", "CallbackSource": "call-progress-events", "SequenceNumber": str(number)}
        assert edge.ask(edge.url(CALL_STATUS), "POST", CALL | more).status == 204
    wait(lambda: len(asked(CALL_STATUS)) == 5, 5, lambda: agents.SEEN)
    guard.event(CALL_STATUS)
    said = [event for event in guard.guard.events if event.get("url.path") == CALL_STATUS and "summary" in event]
    assert len(said) == 1, said


def test_callbacks_outlive_kill_9(flask_agent, broken, guarded):
    """Acknowledged while the backend fails, the guard killed: delivered by the next one."""
    broken(status="database")
    guard = guarded(flask_agent, 'callbacks = "redeliver"\n')
    edge = Edge(guard.guard.port)
    numbers = [str(number) for number in range(3)]
    for number in numbers:
        more = {"CallStatus": "completed", "CallbackSource": "call-progress-events", "SequenceNumber": number}
        assert edge.ask(edge.url(CALL_STATUS), "POST", CALL | more).status == 204
    guard.guard.process.kill()
    guard.guard.process.wait()
    guard.close()
    agents.FAULTS.clear()
    agents.SEEN.clear()
    guard.start()
    wait(lambda: len(asked(CALL_STATUS)) >= 3, 20, lambda: agents.SEEN)
    assert [values["SequenceNumber"] for values in asked(CALL_STATUS)] == numbers
    assert all(headers.get("I-Twilio-Idempotency-Token") for *_, headers in agents.SEEN)


def test_an_action_is_never_acknowledged_in_place_of_the_backend(flask_agent, broken, guarded):
    broken(action="slow-1.5", ws="dies")
    guard = guarded(flask_agent)
    call = guard.call()
    assert_spoken_to(call)
    assert call.on(ENDED)[0].seconds > 1.4


# Retries ---------------------------------------------------------------------------------------------


def test_a_retry_gets_the_answer_of_the_first_attempt(flask_agent, broken, guarded):
    """The edge loses its first attempt's connection and asks again with the same token."""
    guard = guarded(flask_agent)
    edge = Edge(guard.guard.port, outage=1)
    told = edge.ask(edge.url(VOICE), "POST", CALL)
    assert told.status == 200 and b"<Connect" in told.body
    assert len(asked(VOICE)) == 1


def test_another_request_is_another_request(flask_agent, broken, guarded):
    guard = guarded(flask_agent)
    edge = Edge(guard.guard.port)
    start = time.monotonic()
    for _ in range(2):
        assert edge.ask(edge.url(VOICE), "POST", CALL).status == 200
    assert len(asked(VOICE)) == 2 and time.monotonic() - start < 5
