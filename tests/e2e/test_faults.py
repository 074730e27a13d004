"""Every row of the table of causes, live: a Flask view behind the guard, asked as Twilio would."""

import pytest

import contract
from faults import FAULTS
from guard import Guard
from twilio_side import CALL, MESSAGE, call

PARAMETERS = {
    "call": CALL,
    "message": MESSAGE,
    "dial-completed": CALL | {"CallStatus": "in-progress", "DialCallStatus": "completed", "DialCallSid": "CA" + "1" * 32},
    "gather-completed": CALL | {"CallStatus": "completed", "Digits": "1"},
}


@pytest.fixture
def fresh_guard(binary, flask):
    """One that has not yet printed anything: the same body on the same route is printed once a minute."""
    with Guard(f"http://127.0.0.1:{flask}") as running:
        yield running


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.row}-{fault.name}")
def test_fault(guard, fault):
    reply = call(guard.port, fault.path, PARAMETERS[fault.parameters])
    contract.assert_outcome(reply, fault.expect, fault.means, fault.exact)
    if fault.never:
        assert fault.never not in reply.body
    # What nobody hears, as the call is over, is told once per route and counted from then on.
    is_told = fault.logged and not fault.name.startswith("call-over")
    if is_told and fault.expect in ("repaired", "replaced"):
        contract.assert_logged(guard, reply, fault.expect, fault.view().status_code)


@pytest.mark.parametrize("fault", FAULTS[:40:4], ids=lambda fault: f"{fault.row}-{fault.name}")
def test_fault_shows_without_the_guard(flask, fault):
    """The tests above can fail: asked directly, these answers are not what Twilio takes."""
    reply = call(flask, fault.path)
    with pytest.raises(AssertionError):
        contract.assert_outcome(reply, fault.expect, fault.means, fault.exact)


def test_an_incident_is_counted(guard):
    fault = next(fault for fault in FAULTS if fault.name == "html-500")
    labels = {"outcome": "replaced", "slot": "voice"}
    before, findings = guard.count("answers", **labels), guard.count("findings", cause="html-page")
    reply = call(guard.port, fault.path)
    assert "html-page" in contract.assert_logged(guard, reply, "replaced", 500)["causes"]
    assert guard.count("answers", **labels) == before + 1
    assert guard.count("findings", cause="html-page") == findings + 1


def test_retyped_html_is_logged_once_and_counted_each_time(fresh_guard):
    for _ in range(3):
        contract.assert_outcome(call(fresh_guard.port, "/fault/1/html"), "repaired")
    fresh_guard.event(lambda event: event.get("message") == "repaired" and event.get("level") == "INFO")
    assert fresh_guard.count("answers", outcome="repaired", slot="voice") == 3


def test_the_log_holds_the_original_answer(fresh_guard):
    reply = call(fresh_guard.port, "/fault/2/traceback-500")
    event = contract.assert_logged(fresh_guard, reply, "replaced", 500)
    assert "psycopg2.OperationalError: could not connect" in event["backend.body"]
    assert "text/plain" in str(event["backend.headers"])
    assert event.get("twilio.code"), event


def test_a_log_line_fits_the_container_runtimes(guard):
    call(guard.port, "/fault/several/too-long")
    assert max(len(line.encode()) for line in guard.lines) < 15 * 1024


def test_every_log_line_is_json(guard):
    call(guard.port, "/fault/2/html-200")
    assert [event for event in guard.events if event.get("not.json")] == []


def test_numbers_and_sids_of_callers_are_masked(guard):
    call(guard.port, "/fault/2/json-500", CALL | {"From": "+15557654321", "Caller": "+15557654321"})
    call(guard.port, "/fault/2/json-500")
    assert not [line for line in guard.lines if "+15557654321" in line]
