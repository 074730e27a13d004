"""Whole calls straight to broken voice agents: each failure is real, and Twilio logs the code that the team saw."""

import pytest

from guarded_calls import ENDED, STATUS, VOICE
from platform_edge import APOLOGY, Caller, Edge
from twilio_side import HOST, TOKEN


def edge(port, **options):
    return Edge(port, **options)


@pytest.mark.parametrize("ws", ["dies", "ends"])
def test_f1_an_action_that_says_204_ends_a_live_call_in_an_apology(either, broken, ws):
    broken(action="204", ws=ws)
    call = edge(either).call()
    assert call.errors() == [12100]
    assert call.blamed(12100).endswith(ENDED)
    assert call.heard[-1] == APOLOGY


def test_f1_a_fallback_url_loops_back_to_the_entry(either, broken):
    """The console names the entry, which is not the culprit."""
    broken(action="204", ws="dies")
    call = edge(either, fallback=VOICE).call()
    assert call.errors() == [12100, 12100]
    assert [one.form.get("ErrorCode") for one in call.on(VOICE)] == [None, "12100"]
    assert call.on(VOICE)[1].form["ErrorUrl"].endswith(ENDED)


def test_f1_the_same_204_is_harmless_once_the_caller_has_hung_up(either, broken):
    broken(action="204")
    call = edge(either).call(Caller(hangs_up_after=0.3))
    assert call.on(ENDED)[0].status == 204
    assert call.codes == []


@pytest.mark.parametrize(("path", "status"), [("/ws/plain", 400), ("/ws/typo", 400), ("/ws/unsupported", 501), ("/", 405)])
def test_f2_what_is_not_registered_as_a_socket_is_refused(flask_agent, broken, path, status):
    broken(stream=f"wss://{HOST}{path}", action="204")
    call = edge(flask_agent).call()
    assert call.streams[0].status == status
    assert call.errors() == [31920, 12100]
    assert call.heard[-1] == APOLOGY
    assert [one.form["StreamError"] for one in call.on(STATUS)] == ["31920"]


def test_f2_closing_before_accepting_is_a_refusal(starlette_agent, broken):
    broken(ws="refuses", action="204")
    call = edge(starlette_agent).call()
    assert call.streams[0].status == 403
    assert call.errors() == [31920, 12100]


def test_f3_a_handler_that_raises_leaves_a_page_in_the_socket(flask_agent, broken):
    broken(ws="raises", action="204")
    call = edge(flask_agent).call()
    assert call.streams[0].status == 101
    assert call.errors() == [31924, 12100]


def test_f3_under_gunicorn(gunicorn_agent, broken):
    with gunicorn_agent(ws="raises", action="204") as port:
        call = edge(port).call()
    assert call.streams[0].status == 101
    assert call.errors()[-1] == 12100
    assert call.streams[0].audio == 0


def test_f4_a_socket_that_is_closed_at_once_leaves_no_stream_code(either, broken):
    broken(ws="dies", action="204")
    call = edge(either).call()
    assert call.streams[0].closed_by == "backend" and call.streams[0].code == 1000 and call.streams[0].audio == 0
    assert call.errors() == [12100]


@pytest.mark.parametrize("how", ["http", "no-query"])
def test_f5_a_signature_over_the_wrong_url_refuses_twilio(flask_agent, broken, how):
    broken(signature=how)
    call = edge(flask_agent, voice=f"{VOICE}?tenant=7", token=TOKEN).call()
    assert call.asked[0].status == 403
    assert call.errors() == [11200] and call.heard == [APOLOGY]


def test_f5_the_right_url_fits(flask_agent, broken):
    broken(signature="right")
    call = edge(flask_agent, voice=f"{VOICE}?tenant=7", token=TOKEN).call(Caller(hangs_up_after=0.2))
    assert call.codes == []


@pytest.mark.parametrize("voice", ["/", "/webhook//incoming_call"])
def test_f6_a_redirect_in_front_loses_the_post(flask_agent, broken, voice):
    """301 turns it into a GET that the page app answers; Werkzeug's own 308 is not followed at all."""
    call = edge(flask_agent, voice=voice).call()
    assert call.errors() == ([12100] if voice == "/" else [11216])
    assert call.heard == [APOLOGY]


@pytest.mark.parametrize(("voice", "code"), [("/spa/incoming_call", 12100), ("/api/incoming_call", 11200), ("/incoming_call", 11200)])
def test_f7_and_f8_a_path_that_the_page_app_answers(flask_agent, broken, voice, code):
    call = edge(flask_agent, voice=voice).call()
    assert call.errors() == [code]
    assert call.heard == [APOLOGY]


@pytest.mark.parametrize("fault", ["database", "name-error"])
def test_f9_an_exception_is_an_apology(flask_agent, broken, fault):
    broken(entry=fault)
    call = edge(flask_agent).call()
    assert call.errors() == [11200] and call.heard == [APOLOGY]


def test_f9_a_failing_callback_is_a_warning(flask_agent, broken):
    broken(status="database")
    call = edge(flask_agent, status_callback="/webhook/call_status").call(Caller(hangs_up_after=0.2))
    assert call.logged() == [15003]


def test_f10_a_callback_that_hangs_is_a_warning(flask_agent, broken):
    broken(status="slow-3")
    call = edge(flask_agent, budget=0.5, status_callback="/webhook/call_status").call(Caller(hangs_up_after=0.2))
    assert call.logged() == [15003]


@pytest.mark.parametrize(("stream", "code"), [(f"wss://https://{HOST}/ws/twilio-media", 31923), (f"https://{HOST}/ws/twilio-media", 31922)])
def test_f11_a_stream_url_with_the_wrong_scheme(flask_agent, broken, stream, code):
    broken(stream=stream)
    assert edge(flask_agent).call().errors() == [code]


def test_f11_a_media_url_without_a_scheme_is_taken_for_a_path(flask_agent, broken):
    broken(play=f"{HOST}/audio/hello.mp3")
    call = edge(flask_agent).call()
    assert call.errors() == [11200]
    assert call.blamed(11200) == f"https://{HOST}/webhook/{HOST}/audio/hello.mp3"


def test_f11_an_action_on_another_host_never_comes_here(flask_agent, broken):
    broken(action_url="https://sleepy.dev.example.net/webhook/stream_ended", ws="dies")
    call = edge(flask_agent).call()
    assert call.foreign == ["https://sleepy.dev.example.net/webhook/stream_ended"] and call.on(ENDED) == []


def test_f12_what_the_schema_refuses(flask_agent, broken):
    broken(stream_attributes=' track="both_tracks"')
    assert edge(flask_agent).call().errors() == [31941]
    broken(stream_attributes=' statusCallbackEvent="started"', say='<Say language="he-IL" voice="woman">שלום</Say>')
    assert edge(flask_agent).call(Caller(hangs_up_after=0.2)).logged() == [12200, 13512]


def test_f13_a_placeholder_reaches_the_handler_as_it_stands(either, broken):
    broken(parameter="{CALL_SID}")
    call = edge(either).call(Caller(hangs_up_after=0.2))
    assert call.streams[0].start["customParameters"] == {"CallSid": "{CALL_SID}"}
