"""The oracle itself: what it must take and what it must refuse, with the reason."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from oracle import accepts, libxml2, xerces

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
GOOD = DECLARATION + b"<Response><Say>Hi</Say></Response>"

TAKEN = {
    "declared": (GOOD, "text/xml; charset=utf-8"),
    "no declaration": (b"<Response/>", "text/xml"),
    "application/xml": (GOOD, "application/xml"),
    "as HTML": (GOOD, "text/html; charset=utf-8"),
    "quoted charset": (GOOD, 'text/xml; charset="UTF-8"'),
    "blank before the root": (b"\n  <Response/>", "text/xml"),
    "blank behind the root": (b"<Response/>\n\n", "text/xml"),
    "ASCII as Latin-1": (b"<Response><Say>Hi</Say></Response>", "text/xml; charset=iso-8859-1"),
    "ASCII declared Latin-1": (b'<?xml version="1.0" encoding="ISO-8859-1"?><Response/>', "text/xml"),
    "single quotes, standalone": (b"<?xml version='1.0' encoding='UTF-8' standalone='yes'?><Response/>", "text/xml"),
    "Hebrew": ("<Response><Say>שלום</Say></Response>".encode(), "text/xml; charset=utf-8"),
    "emoji as reference": (b"<Response><Say>&#x1F600;</Say></Response>", "text/xml"),
    "comment and CDATA": (b"<!-- menu --><Response><Say><![CDATA[a & b]]></Say></Response>", "text/xml"),
    "exactly 64 kB": (b"<Response><Say>" + b"x" * (65536 - 32) + b"</Say></Response>", "text/xml"),
}
REFUSED = {
    "JSON type": (GOOD, "application/json", "content type"),
    "no type": (GOOD, "", "content type"),
    "plain text": (b"OK", "text/xml", "Start tag expected"),
    "empty": (b"", "text/xml", "libxml2"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "text/xml", "byte order mark"),
    "newline before the declaration": (b"\n" + GOOD, "text/xml", "XML declaration allowed only at the start"),
    "two declarations": (DECLARATION + GOOD, "text/xml", "libxml2"),
    "zero-width space first": ("\u200b<Response/>".encode(), "text/xml", "Start tag expected"),
    "other root": (b"<response/>", "text/xml", "root element must be Response"),
    "prefixed root": (b'<t:Response xmlns:t="urn:t"/>', "text/xml", "root element must be Response"),
    "prefix without its namespace": (b"<Response><a:Say/></Response>", "text/xml", "Namespace prefix a"),
    "bare ampersand": (b'<Response><Redirect>/a?b=1&c=2</Redirect></Response>', "text/xml", "EntityRef"),
    "HTML entity": (b"<Response><Say>a&nbsp;b</Say></Response>", "text/xml", "nbsp"),
    "unquoted attribute": (b"<Response><Say voice=alice>a</Say></Response>", "text/xml", "AttValue"),
    "attribute twice": (b'<Response><Say loop="1" loop="2">a</Say></Response>', "text/xml", "loop"),
    "control character": (b"<Response><Say>a\x0bb</Say></Response>", "text/xml", "PCDATA invalid Char"),
    "reference to a control character": (b"<Response><Say>&#1;</Say></Response>", "text/xml", "xmlChar"),
    "cut": (b"<Response><Say>Hi", "text/xml", "libxml2"),
    "text after the root": (GOOD + b"done", "text/xml", "Extra content"),
    "two roots": (b"<Response/><Response/>", "text/xml", "Extra content"),
    "DOCTYPE": (b"<!DOCTYPE Response><Response/>", "text/xml", "DOCTYPE"),
    "external entity": (b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/hostname">]><Response>&e;</Response>', "text/xml", "libxml2"),
    "Latin-1 bytes": ("<Response><Say>é</Say></Response>".encode("latin-1"), "text/xml", "not UTF-8"),
    "comment outside the root under a Latin-1 declaration": (
        "<?xml version='1.0' encoding='ISO-8859-1'?><Response/><!-- é -->".encode(), "text/xml; charset=utf-8", "gives other text"),
    "root named like a prefix": (b"<Response:/>", "text/xml", "libxml2"),
    "UTF-8 under a Latin-1 label": ("<Response><Say>é</Say></Response>".encode(), "text/xml; charset=iso-8859-1", "other text"),
    "UTF-8 declared Latin-1": ('<?xml version="1.0" encoding="ISO-8859-1"?><Response><Say>é</Say></Response>'.encode(), "text/xml", "other text"),
    "UTF-16 declared": (b'<?xml version="1.0" encoding="UTF-16"?><Response/>', "text/xml", ""),
    "unknown charset": (GOOD, "text/xml; charset=utf8mb4", "utf8mb4"),
    "one byte over 64 kB": (b"<Response><Say>" + b"x" * (65537 - 32) + b"</Say></Response>", "text/xml", "65537"),
    "HTML page": (b"<!DOCTYPE html><html><body>Not Found</body></html>", "text/html", "libxml2"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_takes(name):
    assert accepts(*TAKEN[name]) == (True, "")


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    body, content_type, part = REFUSED[name]
    accepted, why = accepts(body, content_type)
    assert not accepted
    assert part in why


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\n" + GOOD, 'The processing instruction target matching "[xX][mM][lL]" is not allowed.'),
        (b"OK", "Content is not allowed in prolog."),
        (b"<Response><Say>Hi", "XML document structures must start and end within the same entity."),
        (b'<Response><Redirect>/a?x=1&trackingId=2</Redirect></Response>', 'The reference to entity "trackingId" must end with the \';\' delimiter.'),
        (b"<Response/><br />", "The markup in the document following the root element must be well-formed."),
        (b"<Response/>done", "Content is not allowed in trailing section."),
    ],
)
def test_xerces_says_what_twilio_logs(body, message):
    assert message in xerces(body, "utf-8")


def test_xerces_alone_refuses_a_byte_order_mark_in_a_string():
    assert "string" in xerces(b"\xef\xbb\xbf" + GOOD, "utf-8")


def test_each_parser_is_asked_on_its_own():
    assert libxml2(GOOD, GOOD.decode()) is None
    assert xerces(GOOD, "utf-8") is None


def judge(lines):
    script = Path(__file__).with_name("judge_file.py")
    return subprocess.run([sys.executable, str(script)], input="\n".join(lines), capture_output=True, text=True, check=False)


def entry(name, body, content_type="text/xml"):
    return json.dumps({"name": name, "content_type": content_type, "body_base64": base64.b64encode(body).decode()})


def test_judge_file_takes_all():
    done = judge([entry("a", GOOD), entry("b", b"<Response/>")])
    assert (done.returncode, done.stdout) == (0, "accepted 2 of 2\n")


def test_judge_file_names_the_refused():
    done = judge([entry("fine", GOOD), entry("broken one", b"<Response>")])
    assert done.returncode == 1
    assert done.stderr.startswith("broken one: libxml2")


@pytest.mark.parametrize("lines", [[], ["{}"], ["no JSON"]])
def test_judge_file_wants_documents(lines):
    assert judge(lines).returncode == 2
