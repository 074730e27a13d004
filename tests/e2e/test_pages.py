"""Pages taken from the real programs (tests/data/pages), given to a call in place of TwiML."""

import json
import re

import pytest

import contract
from raw_backend import PAGES
from twilio_side import CALL, MESSAGE, call, split_head

MANIFEST = json.loads((PAGES / "manifest.json").read_text())
BY_KIND = {}
for page in MANIFEST:
    BY_KIND.setdefault(page["kind"], []).append(page)
# Programs that the guard must know by name: the manifest's slug, and what the log says (letters only, lower case).
NAMED = {name: name for name in ("apache", "cloudflare", "django", "express", "haproxy", "heroku", "nginx", "ngrok", "php", "rails", "werkzeug")}
NAMED |= {"aws-alb": "awsalb", "spa": "singlepageapp"}


def name_of(page):
    return page["name"]


def status_of(page):
    first, _, _ = split_head((PAGES / f"{page['name']}.http").read_bytes())
    return int(first.split(" ")[1])


def test_every_page_is_listed_and_clean():
    assert {page["name"] for page in MANIFEST} == {path.stem for path in PAGES.glob("*.http")}
    for page in MANIFEST:
        first, headers, body = split_head((PAGES / f"{page['name']}.http").read_bytes())
        names = [name.lower() for name, _ in headers]
        assert first.startswith("HTTP/1."), page["name"]
        assert "date" not in names and "transfer-encoding" not in names, page["name"]
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        assert lengths in ([], [str(len(body))]), page["name"]


@pytest.mark.parametrize("page", BY_KIND["error"] + BY_KIND["spa"] + BY_KIND["empty"], ids=name_of)
def test_page_becomes_a_fallback(raw_guard, page):
    reply = call(raw_guard.port, f"/page/{page['name']}")
    contract.assert_outcome(reply, "replaced")
    event = contract.assert_logged(raw_guard, reply, "replaced", status_of(page))
    if page["origin"] in NAMED and page["kind"] != "empty":
        said = " ".join(str(value) for key, value in event.items() if not key.startswith(("backend.", "url.")))
        assert NAMED[page["origin"]] in re.sub("[^a-z]", "", said.lower()), (page["origin"], said)


@pytest.mark.parametrize("page", BY_KIND["error"][::10], ids=name_of)
def test_page_in_place_of_a_message(raw_guard, page):
    reply = call(raw_guard.port, f"/page/{page['name']}", MESSAGE)
    contract.assert_outcome(reply, "replaced", b"<Response/>")


@pytest.mark.parametrize("page", BY_KIND["wrapped"], ids=name_of)
def test_document_is_taken_out_of_its_wrapping(raw_guard, page):
    reply = call(raw_guard.port, f"/page/{page['name']}")
    contract.assert_outcome(reply, "repaired")
    means = b"<Response><Say>Press 1 for sales</Say></Response>"
    assert contract.meaning(reply.body).replace(b"\n", b"") == contract.meaning(means)


@pytest.mark.parametrize("page", BY_KIND["redirect"] + BY_KIND["unclear"], ids=name_of)
def test_page_is_never_passed_on(raw_guard, page):
    contract.assert_outcome(call(raw_guard.port, f"/page/{page['name']}"), "any")


@pytest.mark.parametrize("page", BY_KIND["challenge"], ids=name_of)
def test_challenge_passes_to_one_who_showed_no_credentials(raw_guard, page):
    reply = call(raw_guard.port, f"/page/{page['name']}")
    _, _, body = split_head((PAGES / f"{page['name']}.http").read_bytes())
    assert (reply.status, reply.body) == (401, body)
    assert reply.one("WWW-Authenticate").startswith("Basic ")
    refused = call(raw_guard.port, f"/page/{page['name']}", CALL, headers=[("Authorization", "Basic b3BzOndyb25n")])
    contract.assert_outcome(refused, "replaced")
