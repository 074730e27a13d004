"""What every delivery must be, whatever the backend did."""

import re

from lxml import etree

from oracle import accepts

INCIDENT = "Twiml-Guard-Incident"
CHANGED_TYPE = "text/xml; charset=utf-8"


def meaning(document):
    """Canonical form: the same for documents that say the same."""
    return etree.tostring(etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True)), method="c14n")


def assert_framed(reply):
    """One exact Content-Length and no coding; the connection was read to its end."""
    assert reply.all("Transfer-Encoding") == []
    assert reply.all("Content-Encoding") == []
    assert reply.all("Content-Length") == [str(len(reply.body))]


def assert_twiml(reply):
    """Status, type, framing, and what both parsers of the oracle say."""
    assert reply.status == 200, reply.body[:300]
    assert len(reply.all("Content-Type")) == 1, reply.headers
    assert_framed(reply)
    taken, why = accepts(reply.body, reply.one("Content-Type"))
    assert taken, f"{why}: {reply.body[:300]!r}"
    for cookie in reply.all("Set-Cookie"):
        assert not re.match(r"\s*=", cookie) and not re.search(r"[\x00-\x1f\x7f]", cookie), cookie


def assert_changed(reply):
    """A repair or replacement says so and can't be kept by a cache."""
    assert reply.all("Content-Type") == [CHANGED_TYPE]
    assert len(reply.all(INCIDENT)) == 1, reply.headers
    assert reply.one(INCIDENT)
    assert "no-store" in (reply.one("Cache-Control") or ""), reply.headers
    assert reply.one("Proxy-Status"), reply.headers
    for validator in ("ETag", "Last-Modified", "Expires"):
        assert reply.all(validator) == [], reply.headers


def assert_outcome(reply, expect, means=None, exact=False):
    assert_twiml(reply)
    if expect == "untouched":
        assert reply.all(INCIDENT) == [], reply.headers
    elif expect in ("repaired", "replaced"):
        assert_changed(reply)
    if means is not None:
        assert meaning(reply.body) == meaning(means), reply.body[:500]
    if exact:
        assert reply.body == means


def assert_logged(guard, reply, outcome=None, status=None):
    """The incident of the reply is in the log, with its cause and what the backend said."""
    event = guard.incident(reply.one(INCIDENT))
    assert event.get("cause"), event
    if status is not None:
        assert str(event.get("backend.status")) == str(status), event
    if outcome in ("repaired", "replaced"):
        assert event.get("message") == outcome, event
    return event
