"""Answers that Twilio would not take, as regression tests for the backend that gave them.

Written by `twiml-guard incidents export --as pytest`. Needs pytest and nothing else:

    APP_URL=http://127.0.0.1:5000 pytest FILE     asks a running backend
    APP=module:attribute pytest FILE              asks a Flask app in this process

With TWILIO_AUTH_TOKEN set, requests are signed as Twilio signs them. What was masked when it was
recorded (numbers, digits, speech) stands here as a substitute: numbers are +1555010…, nobody's.
"""

import base64
import hashlib
import hmac
import http.client
import importlib
import json
import os
import re
import sys
import time
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.parsers import expat

import pytest

APP = None

# Names of TwiML, which are case-sensitive.
ELEMENTS = set()
ATTRIBUTES = set()

# What was asked, what came (as far as it was kept, masked), and what is expected instead.
CASES = []


# Twilio gives up after 15 s, and the answer has to travel.
PATIENCE = 13


class Answer:
    def __init__(self, status, headers, body, seconds=0.0):
        self.status, self.headers, self.body, self.seconds = status, list(headers), body, seconds

    def all(self, name):
        return [value for own, value in self.headers if own.lower() == name]

    def __str__(self):
        head = "".join(f"{name}: {value}\n" for name, value in self.headers)
        return f"{self.status}\n{head}\n{self.body[:2000].decode('utf-8', 'backslashreplace')}"


# Asking ------------------------------------------------------------------------------------------


def ask(case):
    headers = [tuple(header) for header in case["headers"]]
    token = os.environ.get("TWILIO_AUTH_TOKEN")
    if token:
        headers.append(("X-Twilio-Signature", signature(token, case)))
    body = case["body"].encode("ascii")
    start = time.monotonic()
    answer = ask_somebody(case, headers, body)
    answer.seconds = time.monotonic() - start
    return answer


def ask_somebody(case, headers, body):
    if os.environ.get("APP_URL"):
        return ask_url(os.environ["APP_URL"], case, headers, body)
    app = os.environ.get("APP") or APP
    if not app:
        pytest.fail("name the backend: APP_URL=http://127.0.0.1:5000, or APP=module:attribute of a Flask app", pytrace=False)
    return ask_flask(app, case, headers, body)


def ask_url(url, case, headers, body):
    where = urlsplit(url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.netloc, timeout=PATIENCE)
    try:
        connection.putrequest(case["method"], case["target"], skip_host=True, skip_accept_encoding=True)
        if not any(name.lower() == "host" for name, _ in headers):
            connection.putheader("Host", where.netloc)
        for name, value in headers:
            connection.putheader(name, value.encode("utf-8"))
        if body or case["method"] != "GET":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())
    finally:
        connection.close()


def ask_flask(name, case, headers, body):
    module, _, attribute = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        app = importlib.import_module(module)
    finally:
        sys.path.pop(0)
    for part in (attribute or "app").split("."):
        app = getattr(app, part)
    origin = urlsplit(case["url"])
    path, _, query = case["target"].partition("?")
    kept = [(name, value) for name, value in headers if name.lower() not in ("host", "content-type", "content-length")]
    kinds = [value for name, value in headers if name.lower() == "content-type"]
    answer = app.test_client().open(
        unquote(path), query_string=query, base_url=f"{origin.scheme}://{origin.netloc}", method=case["method"],
        headers=kept, data=body, content_type=kinds[0] if kinds else None,
    )
    return Answer(answer.status_code, answer.headers, answer.data)


def signature(token, case):
    signed = case["url"]
    values = {}
    for name, value in parse_qsl(case["body"], keep_blank_values=True):
        values.setdefault(name, set()).add(value)
    for name in sorted(values, key=lambda name: name.encode()):
        signed += "".join(name + value for value in sorted(values[name], key=lambda value: value.encode()))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


# What Twilio needs ---------------------------------------------------------------------------------

VOICE = {"voice", "action", "whisper", "wait", "conference-wait"}
ACKNOWLEDGEMENTS = {
    "ok", "okay", "200", "200 ok", "success", "accepted", "queued", "received", "ack", "acknowledged", "done", "true",
    "false", "null", "none", "undefined", "created", "submitted", "processed", "sent", "error", "failed", "forbidden",
}
PLAYED = {
    "audio/mpeg", "audio/wav", "audio/wave", "audio/x-wav", "audio/aiff", "audio/x-aifc", "audio/x-aiff", "audio/x-gsm",
    "audio/gsm", "audio/ulaw", "audio/basic",
}
MEDIA_TYPE = re.compile(r"""[\w!#$&^.+-]+/[\w!#$&^.+-]+(\s*;\s*([\w!#$&^.+-]+=([\w!#$&'*^.+-]+|"([^"\\]|\\.)*"))?)*""")
LIKE_ASCII = re.compile(r"(us-)?ascii|iso-8859-([1-9]|1[013456])|(windows-|cp)(125[0-8]|874)|latin-?1|koi8-[ru]|macintosh", re.IGNORECASE)
PROGRAM = re.compile(
    r"^\s*<|Traceback|Exception|(?:Fatal error|Warning|Notice): .* in .* on line \d|stack trace|\b\w+\.(?:py|php|js|rb|java)[:(\" ]|"
    r"(?:<|&lt;|%3C)Response|PFJlc3BvbnNl|3c526573706f6e7365|\b\w*Error\b|\{\{|\{%|<%|\$\{\w+\}|\[object |undefined|\w@[0-9a-f]{6,8}$",
    re.IGNORECASE,
)


def problems(case, answer):
    """Why Twilio would not take this answer; empty where it would."""
    slot = case["slot"]
    if answer.seconds > PATIENCE:
        return [f"expected an answer within {PATIENCE} s, found {answer.seconds:.1f} s"]
    challenges = answer.all("www-authenticate")
    if answer.status == 401 and any(value.strip().lower().startswith(("basic", "digest")) for value in challenges):
        return head(answer)  # Twilio asks again with the credentials of the URL.
    if slot == "callback":
        return [] if 200 <= answer.status < 300 else [f"expected a 2xx status, found {answer.status}"]
    if answer.status != 200:
        return [f"expected status 200, found {answer.status}"]
    found = head(answer)
    if not answer.body.strip():
        return [*found, "expected TwiML, if only <Response/>, found an empty body"]
    kinds = answer.all("content-type")
    if len(kinds) != 1:
        return [*found, f"expected one Content-Type, found {len(kinds)}"]
    if not MEDIA_TYPE.fullmatch(kinds[0].strip()):
        found.append(f"expected a Content-Type such as text/xml; charset=utf-8, found {kinds[0]!r}")
    kind = kinds[0].split(";")[0].strip().lower()
    if kind.startswith("audio/"):
        is_played = kind in PLAYED and slot in VOICE and not answer.body.lstrip().startswith(b"<")
        return found if is_played else [*found, f"expected TwiML, found {kind}"]
    if kind == "text/plain":
        return found + plain(answer, slot)
    if kind not in ("text/xml", "application/xml"):
        found.append(f"expected Content-Type text/xml, found {kinds[0]!r}")
    return found + text(answer.body, kinds[0]) + document(answer.body, slot, case)


def head(answer):
    found = []
    codings = answer.all("content-encoding")
    if codings:
        found.append(f"expected no Content-Encoding, for which nobody asked, found {codings}")
    for cookie in answer.all("set-cookie"):
        pair = cookie.strip()
        if not pair or pair.startswith("=") or any(ord(c) < 32 or ord(c) == 127 for c in pair):
            found.append(f"expected cookies with a name and without control characters, found {cookie!r}")
    return found


def plain(answer, slot):
    if slot not in ("voice", "messaging"):
        return ["expected TwiML, found text/plain"]
    try:
        said = answer.body.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        return [f"expected UTF-8: {error}"]
    if said.rstrip(".!").lower() in ACKNOWLEDGEMENTS or PROGRAM.search(said) or is_json(said):
        return [f"expected TwiML, found text/plain that no caller is to hear: {said[:80]!r}"]
    return []


def is_json(said):
    try:
        return not isinstance(json.loads(said), (int, float))
    except ValueError:
        return False


def is_doubled(said):
    """Whether this is UTF-8 that was taken for windows-1252 and encoded once more."""
    narrow = bytearray()
    for c in said:
        try:
            narrow += c.encode("cp1252")
        except UnicodeEncodeError:
            if ord(c) > 0xFF:
                return False
            narrow.append(ord(c))
    try:
        words = re.findall(r"\w\w+", narrow.decode("utf-8"))
    except UnicodeDecodeError:
        return False
    # One such sequence, or one that stands alone, may be what a text speaks of.
    return sum(ord(c) > 0x7F for word in words for c in word) > 1


def text(body, kind):
    """The bytes: UTF-8, and said to be."""
    found = []
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        found.append("expected no byte order mark")
    try:
        if is_doubled(body.decode("utf-8")):
            found.append("expected UTF-8, found UTF-8 that was encoded twice")
    except UnicodeDecodeError as error:
        found.append(f"expected UTF-8: {error}")
    if body.lstrip().startswith(b"<?xml") and not body.startswith((b"<?xml", b"\xef\xbb\xbf")):
        found.append("expected nothing before the XML declaration, found blanks")
    label = re.search(r'charset\s*=\s*"?([^\s;"]+)', kind, re.IGNORECASE)
    declared = re.match(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']+)""", body)
    labels = ([label.group(1)] if label else []) + ([declared.group(1).decode("latin-1")] if declared else [])
    for name in labels:
        if name.lower() not in ("utf-8", "utf8") and not (body.isascii() and LIKE_ASCII.fullmatch(name)):
            found.append(f"expected text labelled as UTF-8, found {name}")
    return found


def document(body, slot, case):
    """One well-formed document with the root Response, small enough, with nothing that the slot forbids."""
    found = []
    if len(body) > 65536:
        found.append(f"expected at most 64 kB, found {len(body)} bytes")
    names, values, stack = [], [], []
    elements_by_case = {name.lower(): name for name in ELEMENTS}
    attributes_by_case = {name.lower(): name for name in ATTRIBUTES}
    parser = expat.ParserCreate()

    def start(name, attributes):
        names.append((len(stack), name))
        if name == "Stream" and stack[-1:] == ["Connect"] and attributes.get("track", "inbound_track") != "inbound_track":
            found.append(f"expected track=\"inbound_track\" in Connect, found {attributes['track']!r}")
        for attribute in attributes:
            meant = attributes_by_case.get(attribute.lower())
            if attribute not in ATTRIBUTES and meant and meant not in attributes:
                found.append(f"expected {meant}, found {attribute}: names are case-sensitive")
        stack.append(name)
        values.extend(attributes.items())

    def doctype(*_):
        found.append("expected no DOCTYPE")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.StartDoctypeDeclHandler = doctype
    parser.CharacterDataHandler = lambda data: values.append((stack[-1], data)) if stack == ["Response"] or stack[-1] in ("Play", "Redirect") else None
    parser.buffer_text = True
    try:
        parser.Parse(body.removeprefix(b"\xef\xbb\xbf"), True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        return [*found, f"expected well-formed XML: {error}"]
    root = names[0][1] if names else None
    if root != "Response":
        return [*found, f"expected the root element Response, found {root}"]
    in_root = [name for depth, name in names if depth == 1]
    for depth, name in names:
        if depth == 1 and (name in {"b", "br", "div", "p", "pre"} or in_root == ["Response"]):
            found.append(f"expected verbs in the root, found {name}")
        if name not in ELEMENTS and name.lower() in elements_by_case:
            found.append(f"expected {elements_by_case[name.lower()]}, found {name}: names are case-sensitive")
        if slot == "conference-wait" and depth == 1 and name in ELEMENTS - {"Say", "Play", "Pause", "Redirect"}:
            found.append(f"expected Say, Play, Pause and Redirect only, found {name}")
        if slot == "whisper" and depth == 1 and name == "Dial":
            found.append("expected no Dial in a whisper")
    host = urlsplit(case["url"]).netloc
    for name, value in values:
        value = value.strip()
        if name == "Response" and value.startswith("<"):
            found.append(f"expected verbs in the root, found text that looks like them: {value[:80]!r}")
        if re.match(r"(?:https?|wss?):/*(?:https?|wss?):", value, re.IGNORECASE):
            found.append(f"expected one scheme in {name}, found {value!r}")
        if re.match(rf"(?:https?|wss?)://{re.escape(host)}//", value, re.IGNORECASE):
            found.append(f"expected a single slash in the path of {name}, found {value!r}")
        if host and re.match(rf"(?://)?{re.escape(host)}(?:[/?#]|$)", value, re.IGNORECASE):
            found.append(f"expected a URL with its scheme in {name}, found {value!r}")
    return found


# The tests -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_twilio_takes_the_answer(case):
    answer = ask(case)
    found = problems(case, answer)
    if found:
        pytest.fail(
            f"{case['method']} {case['target']}: Twilio would not take the answer\n"
            + "".join(f"  - {line}\n" for line in found)
            + f"recorded for: {case['cause']} ({case['explain']})\nto fix: {case['remedy']}\n\nThe answer now:\n{answer}",
            pytrace=False,
        )
