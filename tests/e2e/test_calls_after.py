"""The same whole calls through the guard: the code is gone, the caller is spoken to, and one line names the exchange to blame."""

import json
import subprocess

import pytest

from guard import BINARY
from guarded_calls import ENDED, ROLE, SHORT, STATUS, VOICE, assert_spoken_to
from platform_edge import Caller, Edge
from twilio_side import HOST, MESSAGE


# F1, F4 ----------------------------------------------------------------------------------------------


def test_f1_a_dead_stream_and_a_204_end_in_speech(either, broken, guarded):
    broken(action="204", ws="dies")
    guard = guarded(either)
    call = guard.call()
    assert_spoken_to(call)
    event = guard.blame(ENDED, "12100 averted: ", f"POST {ENDED} is the {ROLE}; ", "204", "the caller is still on the line", "answered fallback",
                        "; fix: ")
    assert (event["role"], event["belief"], event["call.status"]) == (ROLE, "this-call", "in-progress")


def test_f1_a_stream_that_did_its_work_ends_in_peace(either, broken, guarded):
    broken(action="204", ws="ends")
    guard = guarded(either, SHORT)
    call = guard.call()
    assert call.codes == [] and call.heard == ["Connecting you.", "stream audio"]
    assert call.on(ENDED)[0].body.endswith(b"<Response/>")


def test_f1_a_short_stream_is_no_work_by_default(flask_agent, broken, guarded):
    broken(action="204", ws="ends")
    assert_spoken_to(guarded(flask_agent).call())


def test_f1_nobody_is_left_to_speak_to_once_the_call_is_over(either, broken, guarded):
    broken(action="204")
    guard = guarded(either)
    call = guard.call(Caller(hangs_up_after=0.2))
    assert call.codes == [] and call.on(ENDED)[0].body.endswith(b"<Response/>")


def test_f1_no_fallback_loop(either, broken, guarded):
    broken(action="204", ws="dies")
    call = guarded(either).call(fallback=VOICE)
    assert_spoken_to(call)
    assert len(call.on(VOICE)) == 1


def test_f4_the_line_tells_of_the_stream(either, broken, guarded):
    broken(action="204", ws="dies")
    guard = guarded(either)
    guard.call()
    event = guard.blame(ENDED, "its stream lasted 0.", "0 audio out", "by the backend")
    assert event["call.stream"].startswith("lasted 0.")


# F7, F8, F9, F10 -------------------------------------------------------------------------------------


def test_f7_a_page_names_the_routes_that_are_known(flask_agent, broken, guarded):
    guard = guarded(flask_agent)
    guard.call(Caller(hangs_up_after=0.1))
    call = guard.call(voice="/spa/incoming_call")
    assert_spoken_to(call)
    guard.blame("/spa/incoming_call", "12100 averted: POST /spa/incoming_call", "200 text/html", "known TwiML routes here: ", f"POST {VOICE} (voice)")


@pytest.mark.parametrize("voice", ["/api/incoming_call", "/incoming_call"])
def test_f8_a_path_that_is_no_route(flask_agent, broken, guarded, voice):
    guard = guarded(flask_agent)
    guard.call(Caller(hangs_up_after=0.1))
    assert_spoken_to(guard.call(voice=voice))
    guard.blame(voice, "averted: POST ", "known TwiML routes here: ", f"POST {VOICE} (voice)")


@pytest.mark.parametrize("fault", ["database", "name-error"])
def test_f9_an_exception_is_spoken_over(flask_agent, broken, guarded, fault):
    broken(entry=fault)
    guard = guarded(flask_agent)
    assert_spoken_to(guard.call())
    guard.blame(VOICE, " averted: POST /webhook/incoming_call ", "said 500", "answered fallback \"voice\"")


def test_f9_a_failing_callback_is_answered(flask_agent, broken, guarded):
    broken(status="database")
    guard = guarded(flask_agent)
    call = guard.call(Caller(hangs_up_after=0.1), status_callback="/webhook/call_status")
    assert call.codes == []
    assert {one.status for one in call.on("/webhook/call_status")} == {204}


# F11, F12, F13 ---------------------------------------------------------------------------------------


def test_f11_a_media_url_without_a_scheme_gets_one(flask_agent, broken, guarded):
    broken(play=f"{HOST}/audio/hello.mp3")
    guard = guarded(flask_agent)
    call = guard.call(Caller(hangs_up_after=0.1))
    assert call.errors() == [] and call.heard[0] == "audio"
    guard.event(VOICE)


def test_f11_a_stream_url_with_two_schemes_keeps_one(flask_agent, broken, guarded):
    broken(stream=f"wss://https://{HOST}/ws/twilio-media")
    guard = guarded(flask_agent)
    call = guard.call(Caller(hangs_up_after=0.1))
    assert call.errors() == [] and call.streams[0].status == 101
    guard.event(VOICE)


def test_f11_a_private_host_is_named(flask_agent, broken, guarded):
    broken(action_url="http://10.0.0.7:5000/webhook/stream_ended", ws="dies")
    guard = guarded(flask_agent)
    call = guard.call()
    assert call.foreign == ["http://10.0.0.7:5000/webhook/stream_ended"]
    guard.blame(VOICE, "10.0.0.7")


def test_f12_a_track_that_connect_refuses_is_left_out(flask_agent, broken, guarded):
    broken(stream_attributes=' track="both_tracks"')
    guard = guarded(flask_agent)
    call = guard.call(Caller(hangs_up_after=0.1))
    assert call.codes == [] and call.streams[0].status == 101
    guard.blame(VOICE, "31941 averted: ")


def test_f12_what_is_only_warned_about_is_recorded(flask_agent, broken, guarded):
    broken(stream_attributes=' statusCallbackEvent="started"', say='<Say language="he-IL" voice="woman">שלום</Say>')
    guard = guarded(flask_agent)
    call = guard.call(Caller(hangs_up_after=0.1))
    assert call.errors() == [] and call.heard[0] == "שלום"
    assert "statusCallbackEvent" in json.dumps(guard.event(VOICE))


def test_f13_a_placeholder_is_named(either, broken, guarded):
    broken(parameter="{CALL_SID}")
    guard = guarded(either)
    call = guard.call(Caller(hangs_up_after=0.1))
    assert call.codes == []
    guard.blame(VOICE, "{CALL_SID}")


# What is known of calls ------------------------------------------------------------------------------


def test_roles_outlive_a_restart(flask_agent, broken, guarded):
    """The first call teaches; in the second the ledger is lost between document and action."""
    guard = guarded(flask_agent)
    assert guard.call(Caller(hangs_up_after=0.1)).codes == []
    guard.restart()
    broken(action="204")
    edge = Edge(guard.guard.port)
    form = {"CallSid": "CA" + "7" * 32, "AccountSid": "AC0123456789abcdef0123456789abcdef", "CallStatus": "in-progress", "From": "+15550100001",
            "To": "+15550100002", "Direction": "inbound", "ApiVersion": "2010-04-01"}
    asked = edge.ask(edge.url(ENDED), "POST", form)
    assert asked.status == 200 and b"<Say" in asked.body
    event = guard.blame(ENDED, f"POST {ENDED} is, as other calls show, the {ROLE}")
    assert event["belief"] == "learnt"


def test_what_was_learnt_can_be_pasted(flask_agent, broken, guarded, tmp_path):
    guard = guarded(flask_agent)
    guard.call(Caller(hangs_up_after=0.1), status_callback="/webhook/call_status")
    assert guard.guard.terminate() == 0
    learnt = guard.command("config", "learn").stdout
    for path, slot in [(VOICE, "voice"), (ENDED, "action"), (STATUS, "callback"), ("/ws/twilio-media", "stream")]:
        assert f'path = "{path}"' in learnt and f'slot = "{slot}"' in learnt, learnt
    pasted = tmp_path / "pasted.toml"
    pasted.write_text(learnt)
    done = subprocess.run([str(BINARY), "config", "check", "--config", str(pasted)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fallback_request_is_not_the_culprit(flask_agent, broken, guarded):
    """In observe mode Twilio falls back to the entry, whose log line clears it."""
    broken(action="204", ws="dies")
    guard = guarded(flask_agent, "observe = true\n")
    call = guard.call(fallback=VOICE)
    assert call.errors() == [12100, 12100]
    said = f"because https://{HOST}{ENDED} gave 12100; this URL is not the culprit"
    guard.guard.event(lambda event: said in event.get("summary", ""))


def test_the_timeline_of_a_call(flask_agent, broken, guarded):
    broken(action="204", ws="dies")
    guard = guarded(flask_agent)
    call = guard.call(status_callback="/webhook/call_status")
    guard.blame(ENDED)
    story = guard.command("incidents", "call", call.sid).stdout
    at = [story.index(part) for part in [f"POST {VOICE}", f"POST {ENDED}", "POST /webhook/call_status"]]
    assert at == sorted(at), story
    assert ROLE in " ".join(story.split())
    assert "no-content" in story and "to blame: " in story
    shown = json.loads(guard.command("incidents", "call", call.sid, "--json").stdout)
    assert [step["path"] for step in shown["steps"]][0] == VOICE and shown["sid"] == call.sid
    guard.guard.terminate()
    assert ENDED in guard.command("incidents", "call", call.sid[-6:]).stdout


# Control ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voice", [VOICE, "/webhook/menu"])
def test_a_healthy_call_passes_byte_for_byte(flask_agent, broken, guarded, voice):
    guard = guarded(flask_agent, SHORT)
    sid = "CA" + "5" * 32
    options = {"voice": voice, "status_callback": "/webhook/call_status"}
    caller = {"hangs_up_after": 0.6 if voice == VOICE else None, "digits": ["1"], "records": 4}
    direct = Edge(flask_agent, **options).call(Caller(**caller), sid)
    behind = guard.call(Caller(**caller), sid, **options)
    assert behind.codes == direct.codes == []
    assert behind.words() == direct.words()
    assert [(one.path, one.status, one.body) for one in behind.asked] == [(one.path, one.status, one.body) for one in direct.asked]
    if voice == VOICE:
        assert behind.streams[0].audio >= 10
    assert guard.incidents() == []
    assert [event for event in guard.guard.events if event.get("cause")] == []


def test_a_healthy_stream_that_ends_itself(either, broken, guarded):
    broken(ws="ends")
    guard = guarded(either, SHORT)
    call = guard.call()
    assert call.codes == [] and call.heard == ["Connecting you.", "stream audio", "Thank you, goodbye."]
    assert [event for event in guard.guard.events if event.get("cause")] == []


def test_a_healthy_message_passes_byte_for_byte(flask_agent, broken, guarded):
    guard = guarded(flask_agent)
    direct, behind = (Edge(port).ask(f"https://{HOST}/sms", "POST", MESSAGE) for port in (flask_agent, guard.guard.port))
    assert (behind.status, behind.content_type, behind.body) == (direct.status, direct.content_type, direct.body)
    assert direct.status == 200 and guard.incidents() == []
