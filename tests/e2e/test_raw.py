"""Answers that no framework can be made to give: broken framing, no HTTP, resets, silence, drip."""

import socket
import threading
import time

import pytest

import contract
from faults import MENU
from guard import Guard
from raw_backend import ODD, RAW, SLOW, WAITS, Backend
from twilio_side import CALL, call, plain

BUDGET = 1.0
# What a busy machine may add to a budget before it counts as missed.
SLACK = 0.8


@pytest.mark.parametrize("name", RAW)
def test_raw(raw_guard, name):
    wanted = RAW[name]
    reply = call(raw_guard.port, f"/raw/{name}")
    contract.assert_outcome(reply, wanted.expect, wanted.means)
    if wanted.expect in ("repaired", "replaced"):
        contract.assert_logged(raw_guard, reply, wanted.expect)


@pytest.mark.parametrize("name", ODD)
def test_odd_head(raw_guard, hasty_guard, name):
    """What is whole is delivered at once, though the backend keeps the connection; what is odd is in the log and not on the wire."""
    _, expect, cause = ODD[name]
    guard = hasty_guard if name in WAITS else raw_guard
    reply = call(guard.port, f"/raw/{name}")
    contract.assert_outcome(reply, expect, None if expect == "replaced" else MENU)
    assert reply.seconds < BUDGET + SLACK
    if expect in ("repaired", "replaced"):
        event = contract.assert_logged(guard, reply, expect)
        assert cause in event["causes"], event
    elif cause:
        # Logged once a minute for all of a route.
        event = guard.event(lambda event: event.get("cause") == cause)
        assert event["message"] == "untouched", event
        assert event["backend.headers"][0].split(":")[0] in ("Nonsense", "X Powered By", "", "X-Caller"), event
    for odd in ("Nonsense", "X Powered By", "X-Build", "X-Caller"):
        assert reply.all(odd) == [], reply.headers


def test_a_page_behind_an_odd_head_is_an_honest_502(raw_guard):
    for name in ("status-two-blanks", "line-nul", "framing-no-number", "framing-two-lengths"):
        assert plain(raw_guard.port, "GET", f"/raw/{name}").status == 502, name


def test_the_connection_of_an_odd_answer_is_not_used_again(raw_guard):
    for name in [name for name, (_, _, cause) in ODD.items() if cause and name not in WAITS]:
        call(raw_guard.port, f"/raw/{name}")
        # On the odd one's connection nobody would answer.
        assert plain(raw_guard.port, "GET", "/raw/line-nul", timeout=5).status == 502, name


@pytest.mark.parametrize("name", SLOW)
def test_slow(hasty_guard, name):
    wanted = SLOW[name]
    reply = call(hasty_guard.port, f"/raw/{name}")
    assert reply.seconds < BUDGET + SLACK
    contract.assert_outcome(reply, wanted.expect, wanted.means)
    if wanted.expect == "replaced":
        contract.assert_logged(hasty_guard, reply, "replaced")


def test_a_whole_document_without_its_framing_is_kept(hasty_guard):
    """The root has ended; the missing rest of Content-Length says nothing."""
    reply = call(hasty_guard.port, "/raw/body-never-whole-document")
    contract.assert_outcome(reply, "repaired", MENU)
    assert reply.seconds < BUDGET + SLACK


def test_many_slow_calls_do_not_hold_each_other_up(hasty_guard):
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(call(hasty_guard.port, "/raw/head-never"))) for _ in range(20)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < BUDGET + SLACK + 1
    assert len(replies) == 20
    for reply in replies:
        contract.assert_outcome(reply, "replaced")


def test_refused_then_back(binary):
    """A backend that is down at start is answered for, and served as soon as it is up, without a restart."""
    gone = Backend()
    port = gone.port
    gone.close()
    with Guard(f"http://127.0.0.1:{port}") as guard:
        reply = call(guard.port, "/voice")
        contract.assert_outcome(reply, "replaced")
        contract.assert_logged(guard, reply, "replaced")
        refused = plain(guard.port, "GET", "/static/logo.png")
        assert refused.status in (502, 503)
        for path in ("/livez", "/readyz"):
            assert plain(guard.ops_port, "GET", path).status == 200
        back = Backend(port)
        try:
            contract.assert_outcome(call(guard.port, "/voice"), "untouched")
        finally:
            back.close()


def test_an_unreachable_backend_costs_no_more_than_the_budget(binary):
    """A full backlog: connects are neither taken nor refused."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen(0)
    fillers = []
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(held.getsockname())
        fillers.append(filler)
    try:
        with Guard(f"http://127.0.0.1:{held.getsockname()[1]}", env={"TWIML_GUARD_BUDGET": "1s"}) as guard:
            reply = call(guard.port, "/voice")
            assert reply.seconds < BUDGET + SLACK
            contract.assert_outcome(reply, "replaced")
    finally:
        for filler in fillers:
            filler.close()
        held.close()


def test_a_closed_idle_connection_is_replaced_silently(raw_guard, backend):
    """The backend closes after each answer; the next request finds a dead pooled connection and must not show it."""
    for _ in range(5):
        contract.assert_outcome(call(raw_guard.port, "/other"), "untouched")
        time.sleep(0.05)


def test_one_request_reaches_the_backend_once(raw_guard, backend):
    backend.seen.clear()
    contract.assert_outcome(call(raw_guard.port, "/raw/closed"), "replaced")
    contract.assert_outcome(call(raw_guard.port, "/raw/reset-in-body"), "replaced")
    assert len(backend.seen) == 2


@pytest.mark.long
def test_a_backend_that_needs_twelve_seconds_keeps_working(guard):
    reply = call(guard.port, "/slow/12.0")
    contract.assert_outcome(reply, "untouched")
    assert guard.event(lambda event: "slow" in str(event.get("cause", "")))


@pytest.mark.long
def test_the_default_budget_is_thirteen_seconds(binary, backend):
    with Guard(f"http://127.0.0.1:{backend.port}") as guard:
        reply = call(guard.port, "/raw/head-never", CALL)
        assert 12 < reply.seconds < 14.5
        contract.assert_outcome(reply, "replaced")
