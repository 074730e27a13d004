"""Wrong URLs in whole calls through the guard: aliases, doubled slashes, a POST that a redirect in front lost."""

import pytest

import agents
from guarded_calls import VOICE, assert_spoken_to
from platform_edge import Caller, Edge
from twilio_side import CALL

ALIAS = f'[[alias]]\nfrom = "/incoming_call"\nto = "{VOICE}"\n'
LEAVES = Caller(hangs_up_after=0.2)


def asked():
    return [(method, path) for method, path, *_ in agents.SEEN]


def test_f6_a_doubled_slash_is_tried_without(flask_agent, broken, guarded):
    guard = guarded(flask_agent)
    call = guard.call(LEAVES, voice="/webhook//incoming_call")
    assert call.errors() == [] and call.heard[0] == "Connecting you."
    assert asked().count(("POST", VOICE)) == 1
    guard.event("/webhook//incoming_call")


def test_f6_a_redirect_in_front_loses_nothing(flask_agent, broken, guarded):
    """Twilio's POST to the bare host comes back as a GET behind the team's own redirect: followed inside."""
    guard = guarded(flask_agent)
    call = guard.call(LEAVES, voice="/")
    assert call.errors() == [] and call.heard[0] == "Connecting you."


def test_f6_a_get_with_twilios_form_is_asked_as_post(flask_agent, broken, guarded):
    """The redirect came from a front end, so the guard sees only the GET."""
    guard = guarded(flask_agent)
    edge = Edge(guard.guard.port)
    told = edge.ask(edge.url(VOICE), "GET", CALL)
    assert told.status == 200 and b"<Connect" in told.body
    assert asked() == [("GET", VOICE), ("POST", VOICE)]
    event = guard.blame(VOICE, f"GET {VOICE}", "; fix: ")
    assert event["cause"] == "post-lost"


def test_f8_an_alias_leads_to_the_route(flask_agent, broken, guarded):
    guard = guarded(flask_agent, ALIAS)
    call = guard.call(LEAVES, voice="/incoming_call")
    assert call.codes == [] and call.heard[0] == "Connecting you."
    assert asked()[0] == ("POST", VOICE)


@pytest.mark.parametrize("voice", ["/incoming_call", "/webhook/voice"])
def test_f8_without_an_alias_the_caller_is_spoken_to(flask_agent, broken, guarded, voice):
    assert_spoken_to(guarded(flask_agent).call(voice=voice))
