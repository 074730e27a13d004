"""Redirects and wrong methods: what is asked again inside, and what never is."""

import pytest

import contract
from guard import Guard
from twilio_side import CALL, HOST, call, plain

SID = CALL["CallSid"]


def said(reply):
    return contract.meaning(reply.body).decode()


def paths(seen):
    return [f"{method} {uri.split('?')[0]}" for method, uri, _ in seen]


@pytest.mark.parametrize("kind", ["relative", "public", "public-http", "upstream"])
@pytest.mark.parametrize("code", [301, 307, 308])
def test_redirect_that_keeps_method_and_form(guard, seen, code, kind):
    reply = call(guard.port, f"/redirect/{code}/{kind}")
    contract.assert_outcome(reply, "repaired")
    assert f"POST https {SID}" in said(reply)
    assert paths(seen) == [f"POST /redirect/{code}/{kind}", "POST /told"]
    contract.assert_logged(guard, reply, "repaired")


@pytest.mark.parametrize("kind", ["relative", "public", "upstream", "with-query"])
@pytest.mark.parametrize("code", [302, 303])
def test_redirect_that_becomes_a_get_with_the_form_in_the_query(guard, seen, code, kind):
    reply = call(guard.port, f"/redirect/{code}/{kind}")
    contract.assert_outcome(reply, "repaired")
    assert f"GET https {SID}" in said(reply)
    assert paths(seen) == [f"POST /redirect/{code}/{kind}", "GET /told"]
    if kind == "with-query":
        assert "keep=1" in seen[1][1] and said(reply).count(" 1<") == 1


@pytest.mark.parametrize("kind", ["two-hops", "three-hops"])
def test_up_to_three_hops(guard, seen, kind):
    reply = call(guard.port, f"/redirect/307/{kind}")
    contract.assert_outcome(reply, "repaired")
    assert f"POST https {SID}" in said(reply)


@pytest.mark.parametrize("target", ["/redirect/307/four-hops", "/redirect/302/loop", "/redirect/301/foreign", "/redirect/302/foreign",
                                    "/redirect/302/no-location", "/redirect/302/page", "/redirect/302/nowhere", "/redirect/304/no-location",
                                    "/redirect/300/no-location"])
def test_redirect_that_leads_nowhere(guard, seen, target):
    reply = call(guard.port, target)
    contract.assert_outcome(reply, "replaced")
    contract.assert_logged(guard, reply, "replaced")
    assert len(seen) <= 4


def test_flasks_slash_redirect(guard, seen):
    reply = call(guard.port, "/folder")
    contract.assert_outcome(reply, "repaired")
    assert f"POST https {SID}" in said(reply)
    assert paths(seen) == ["POST /folder", "POST /folder/"]


def test_redirect_to_https_of_the_same_url(binary, flask, seen):
    """Without a public URL the backend is told http, and asked once more as https."""
    with Guard(f"http://127.0.0.1:{flask}", public_url=None) as guard:
        reply = call(guard.port, "/secure")
        contract.assert_outcome(reply, "repaired")
        assert f"POST https {SID}" in said(reply)
        assert paths(seen) == ["POST /secure", "POST /secure"]


def test_redirect_whose_target_refuses_the_signature_is_left_to_twilio(guard, seen):
    """Twilio signs the target's own URL; the guard can't."""
    reply = call(guard.port, "/redirect/307/signed")
    contract.assert_outcome(reply, "repaired", f"<Response><Redirect method=\"POST\">https://{HOST}/signed/again</Redirect></Response>".encode())
    again = call(guard.port, "/signed/again")
    contract.assert_outcome(again, "untouched")


def test_post_to_a_get_route_is_asked_as_get(guard, seen):
    reply = call(guard.port, "/only_get?keep=1")
    contract.assert_outcome(reply, "repaired")
    assert f"GET https {SID} 1" in said(reply)
    assert [method for method, *_ in seen] == ["POST", "GET"]
    event = contract.assert_logged(guard, reply, "repaired")
    assert "POST" in str(event) and "GET" in str(event)


def test_get_to_a_post_route_is_asked_as_post(guard, seen):
    reply = call(guard.port, "/only_post", method="GET")
    contract.assert_outcome(reply, "repaired")
    assert f"POST https {SID}" in said(reply)
    assert [method for method, *_ in seen] == ["GET", "POST"]


@pytest.mark.parametrize("extra", [{"Digits": "1234"}, {"SpeechResult": "yes"}, {"PaymentToken": "x", "Result": "success"}])
def test_what_a_caller_entered_never_goes_into_a_query(guard, seen, extra):
    reply = call(guard.port, "/only_get", CALL | {"CallStatus": "in-progress"} | extra)
    contract.assert_outcome(reply, "replaced")
    assert [method for method, *_ in seen] == ["POST"]


@pytest.mark.parametrize("target", ["/refuses_both", "/missing_by_post"])
def test_the_other_method_is_not_tried(guard, seen, target):
    reply = call(guard.port, target)
    contract.assert_outcome(reply, "replaced")
    assert [method for method, *_ in seen] == ["POST"]


def test_a_plain_get_of_a_post_route_passes(guard, seen):
    assert plain(guard.port, "GET", "/only_post").status == 405
    assert [method for method, *_ in seen] == ["GET"]


def test_nothing_is_asked_again_after_a_500(guard, seen):
    contract.assert_outcome(call(guard.port, "/fault/2/html-500"), "replaced")
    assert len(seen) == 1


def test_redirects_can_be_switched_off(binary, flask, seen):
    config = '[[route]]\npath = "/redirect/*"\nslot = "voice"\nredirects = "replace"\n'
    with Guard(f"http://127.0.0.1:{flask}", config=config) as guard:
        contract.assert_outcome(call(guard.port, "/redirect/307/relative"), "replaced")
        assert len(seen) == 1
