"""After a run with known secrets none of them is anywhere: not in the state directory, the log, the metrics."""

import base64
import gzip
import html
import json
import re
import socket
import threading
import zlib
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

import pytest

from guard import Guard
from raw_backend import length
from store_side import Store, wait
from twilio_side import exchange, webhook

NUMBERS = {"From": "+15550167823", "To": "+15550168834", "ForwardedFrom": "+972501234724"}
SAID = {
    "Digits": "8675309",
    "SpeechResult": 'my code is "zebra & giraffe" זברה',
    "CallerName": "QUAGMIRE GLENDA",
    "TranscriptionText": "velvet hammer <seven>",
    "PaymentCardNumber": "4242424242424242",
}
# Configured as private: masked in full records too.
CONFIGURED = {"account_no": "KTO-99812-X", "Policy": "P/77-zulu+9"}
CREDENTIALS = {
    "token": "tk_Zm9vYmFyLTk5",
    "api_key": "ak-55e1f0",
    "password": "Tr0ub4dor&3",
}
HEADERS = {
    "Authorization": "Basic " + base64.b64encode(b"twilio:hunter2-basic").decode(),
    "Cookie": "sid=c00kie-Sess10n; theme=dark",
    "X-Api-Key": "hk-8812-header",
    "X-Auth-Token": "hx-token-7261",
}
CARD = "4012 8888 8888 1881"
FORM = {"CallSid": "CA0123456789abcdef0123456789abcdef", "AccountSid": "AC0123456789abcdef0123456789abcdef", "CallStatus": "in-progress",
        "Direction": "inbound", "ApiVersion": "2010-04-01", "Caller": NUMBERS["From"], "Called": NUMBERS["To"]} | NUMBERS | SAID | CONFIGURED
TARGET = "/voice/{form}/%2B15550167823?" + urlencode(CREDENTIALS | {"back": "tel:+1 (555) 016-7823"})

# What must not be found, as it is or in any of the usual spellings.
PRIVATE = [*SAID.values(), CARD.replace(" ", ""), "016-7823", "016-8834"]
ALWAYS = [*CONFIGURED.values(), *CREDENTIALS.values(), "hunter2-basic", HEADERS["Authorization"].split()[1], "c00kie-Sess10n",
          HEADERS["X-Api-Key"], HEADERS["X-Auth-Token"], "set-c00kie-fresh", "eyJzdWIiOiIxIn0"]
# The digits of numbers, whatever stands between them; the last four may stay.
TAILS = ["0167823", "0168834", "1234724", "8675309", "888888881881", "424242424242"]


def lines(request):
    """Everything that came, as a careless handler prints it."""
    head, _, body = request.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n") + [f"{name}: {value}" for name, value in parse_qsl(body.decode())]


def values(request):
    head, _, body = request.partition(b"\r\n\r\n")
    target = head.split(b" ")[1].decode()
    pairs = parse_qsl(target.partition("?")[2]) + parse_qsl(body.decode())
    pairs += [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n")[1:]]
    return [(name, value) for name, value in pairs if name not in ("Content-Length", "Host")]


def page(text, content_type="text/html; charset=utf-8", *more):
    body = text if isinstance(text, bytes) else text.encode()
    return length(body, content_type, *more, "Connection: close", status="500 Internal Server Error")


def numbers_split(request):
    spelled = []
    for number in NUMBERS.values():
        national = number.removeprefix("+1").removeprefix("+972")
        spelled += [f"<b>{national[:3]}</b>-<b>{national[3:6]}</b><i>{national[6:]}</i>", f"({national[:3]}) {national[3:6]}-{national[6:]}",
                    f"0{national}", ".".join((national[:3], national[3:6], national[6:])), "/".join((national[:3], national[3:6], national[6:])),
                    " ".join(national), str(list(national)), f"'{number}'", f"“{number}”", f"{national}px", f"sip:{national}@example.com",
                    f"whatsapp:{number}", f"&#43;{number[1:]}", f"{national[:3]}&nbsp;{national[3:6]}&nbsp;{national[6:]}",
                    f"{number[:4]} {number[4:6]}-{number[6:9]}-{number[9:]}", f"tel:{number[1:]}", f"id_{national}"]
    return page("<h1>Bad numbers</h1><p>" + "</p>\n<p>".join(spelled) + f"</p>card {CARD}, {CARD.replace(' ', '')}, {CARD.replace(' ', '-')}")


FORMS = {
    "plain": lambda request: page("<pre>" + "\n".join(lines(request)) + "</pre>"),
    "values": lambda request: page("<pre>" + "\n".join(value for _, value in values(request)) + "</pre>"),
    "html": lambda request: page("<table>" + "".join(f"<tr><td>{html.escape(n)}</td><td>{html.escape(v)}</td></tr>" for n, v in values(request)) + "</table>"),
    "json": lambda request: page(json.dumps({"error": "KeyError", "request": dict(values(request))}), "application/json"),
    "json-unicode": lambda request: page(json.dumps(dict(values(request)), ensure_ascii=False), "application/json"),
    "json-in-json": lambda request: page(json.dumps({"detail": json.dumps(dict(values(request)))}), "application/json"),
    "repr": lambda request: page(f"<pre>KeyError: {dict(values(request))!r}\n{values(request)!r}</pre>"),
    "repr-bytes": lambda request: page(f"<pre>{request!r}</pre>"),
    "quoted": lambda request: page("<a href='/retry?" + urlencode(values(request)) + "'>retry</a>"),
    "quoted-lower": lambda request: page(re.sub("%[0-9A-F]{2}", lambda m: m.group().lower(), urlencode(values(request), quote_via=quote))),
    "quoted-twice": lambda request: page(quote(urlencode(values(request)))),
    "utf-16": lambda request: page("\ufeff".encode("utf-16-le") + "\n".join(lines(request)).encode("utf-16-le"), "text/html; charset=utf-16"),
    "windows-1255": lambda request: page("\n".join(lines(request) + [SAID["SpeechResult"]]).encode("windows-1255", "replace"), "text/html; charset=windows-1255"),
    "broken": lambda request: page(b"\xff\xfe\xfa\x80 " + "\n".join(lines(request)).encode(), "text/html; charset=utf-8"),
    "gzip": lambda request: page(gzip.compress("\n".join(lines(request)).encode()), "text/html; charset=utf-8", "Content-Encoding: gzip"),
    "numbers": numbers_split,
    "headers": lambda request: page("<h1>oops</h1>", "text/html", *(f"X-Echo-{at}: {value}" for at, (_, value) in enumerate(values(request)) if value.isascii()),
                                    "Set-Cookie: sid=set-c00kie-fresh; Path=/; HttpOnly", f"Location: /again/{quote_plus(FORM['Digits'])}?" + urlencode(values(request))),
    "redirect": lambda request: length(b"", "text/html", f"Location: /voice/plain/{quote(SAID['CallerName'])}?" + urlencode(dict(values(request))), "Connection: close", status="302 Found"),
    "token": lambda request: page("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln -- https://app:hunter2-basic@db.example.com/x"),
    "twiml": lambda request: length(("<Response><Say>Hello " + html.escape(SAID["CallerName"]) + " at " + NUMBERS["From"] + "</Say></Respons>").encode(), "text/xml", "Connection: close"),
    "odd-head": lambda request: b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX Odd " + CREDENTIALS["token"].encode() + b": " + FORM["Digits"].encode()
    + b"\r\nSet-Cookie : sid=set-c00kie-fresh\r\nConnection: close\r\n\r\n<h1>" + NUMBERS["From"].encode(),
    "reset": lambda request: b"HTTP/1.1 " + CREDENTIALS["token"].encode() + b" " + NUMBERS["From"].encode() + b"\r\n\r\n",
}


class Echo:
    """Answers under /voice/FORM/… with what came."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with conn:
            data = b""
            try:
                while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < self._length(data):
                    chunk = conn.recv(65536)
                    if not chunk:
                        return
                    data += chunk
                conn.sendall(FORMS[data.split(b"/")[2].decode()](data))
            except OSError:
                pass

    @staticmethod
    def _length(data):
        found = re.search(rb"\r\ncontent-length: (\d+)", data, re.IGNORECASE)
        return int(found.group(1)) if found else 0

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture(scope="module")
def echo():
    echo = Echo()
    yield echo
    echo.close()


def spellings(secret):
    """As it is, and as programs escape it."""
    dumped = json.dumps(secret)[1:-1]
    plain = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret), html.escape(secret, quote=False), dumped, json.dumps(dumped)[1:-1],
             repr(secret)[1:-1], repr(secret.encode())[2:-1]}
    plain |= {re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), text) for text in plain}
    yield from (text.encode() for text in plain)
    yield secret.encode("utf-16-le")
    yield base64.b64encode(secret.encode()).rstrip(b"=")


def found(data, secrets, tails):
    """The secrets that are in these bytes."""
    out = [secret for secret in secrets if any(spelling in data for spelling in spellings(secret))]
    text = data.decode("utf-8", "replace")
    text = re.sub(r"\\u[0-9a-f]{4}|%[0-9A-Fa-f]{2}|&[a-z]+;|<[^>]{0,40}>", " ", text)
    digits = re.sub(r"(?<=\d)[^0-9A-Za-z]{1,6}(?=\d)", "", text)
    return out + [tail for tail in tails if tail in digits]


def everything(guard, state):
    """Name and bytes of all that the guard left behind: files as they are, and records unpacked."""
    for path in sorted(state.rglob("*")):
        if path.is_file() and path.name != "key":
            yield path.name, path.read_bytes()
    for record in Store(state).records():
        yield f"record of {record['path']}", json.dumps(record, ensure_ascii=False).encode()
        yield f"record of {record['path']}, escaped", json.dumps(record).encode()
    for table in ("incident", "outbreak", "traffic"):
        yield table, repr([tuple(row) for row in Store(state).rows(f"SELECT * FROM {table}")]).encode()
    yield "log", "".join(guard.lines).encode()


def ask_all(guard, echo_forms=tuple(FORMS)):
    for form in echo_forms:
        for method in ("POST", "GET"):
            data = webhook(TARGET.format(form=form), FORM, method=method, headers=list(HEADERS.items()))
            exchange(guard.port, data)
    # A body that is no form.
    body = json.dumps(FORM | CREDENTIALS).encode()
    exchange(guard.port, f"POST /voice/plain/json?CallSid=CA0&AccountSid=AC0&CallStatus=ringing&From=%2B15550167823 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def config(capture):
    return f'[incidents]\nmask = ["account_no", "policy"]\ncapture = "{capture}"\n[[route]]\npath = "/voice/*"\nslot = "voice"\n'


@pytest.mark.parametrize("log_format", ["json", "human"])
@pytest.mark.parametrize("capture", ["masked", "full"])
def test_no_secret_is_left_anywhere(binary, echo, tmp_path, capture, log_format):
    state = tmp_path / "state"
    with Guard(f"http://127.0.0.1:{echo.port}", "--state-dir", str(state), config=config(capture), log_format=log_format) as guard:
        ask_all(guard)
        store = Store(state)
        wait(lambda: store._count_or_none() == 2 * len(FORMS) + 1, 10, lambda: f"{store._count_or_none()} incidents")
        metrics = guard.metrics().encode()
        # The files while they are in use, then at rest.
        in_use = list(everything(guard, state))
        assert guard.terminate() == 0
        left = [("metrics", metrics), *in_use, *everything(guard, state)]
    records = store.records()
    assert len(records) >= len(FORMS)
    leaks = []
    for name, data in left:
        leaks += [(name, secret) for secret in found(data, ALWAYS, [])]
        if capture == "masked" or name in ("log", "metrics"):
            leaks += [(name, secret) for secret in found(data, PRIVATE, TAILS)]
    assert not leaks, "\n".join(f"{name}: {secret}" for name, secret in leaks)
    # What may be kept is there: else nothing was shown by all this.
    log = dict(left)["log"].decode()
    for kept in ("+1555…7823", "in-progress"):
        assert kept in log or kept in json.dumps(records, ensure_ascii=False)
    if capture == "full":
        texts = json.dumps(records, ensure_ascii=False)
        for said in (SAID["Digits"], SAID["CallerName"], NUMBERS["From"]):
            assert said in texts
