"""Every row of the table of causes as answers of a Flask view, each with what Twilio must get in place.

The app serves them under /fault/ROW/NAME; the tests walk the same list.
"""

import gzip
import zlib
from dataclasses import dataclass
from typing import Callable

import brotli
import zstandard
from flask import Response
from twilio.twiml.voice_response import VoiceResponse

HOST = "pbx.example.com"


def _menu():
    response = VoiceResponse()
    gather = response.gather(num_digits=1, action="/menu?lang=en&step=1", timeout=5)
    gather.say("Press 1 for sales & support, 2 pour l'été, 3 לעברית 🎧")
    response.redirect("/webhook/incoming_call?retry=1&max=3")
    return str(response).encode()


MENU = _menu()
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>'
BARE = MENU.removeprefix(DECLARATION)
EMPTY = b"<Response/>"
XML = "text/xml; charset=utf-8"


@dataclass(frozen=True)
class Fault:
    row: str
    name: str
    view: Callable
    # What becomes of it: "repaired", "replaced", "untouched" or "any" of them.
    expect: str
    # The document whose meaning must arrive, where one can be recovered.
    means: bytes | None = None
    # The delivered body must be `means` byte for byte.
    exact: bool = False
    parameters: str = "call"
    method: str = "POST"
    # Text that must not arrive.
    never: bytes | None = None
    # Each one is in the log; fit TwiML as text/html is so common that it is added up.
    logged: bool = True

    @property
    def path(self):
        return f"/fault/{self.row}/{self.name}"


FAULTS = []


def fault(row, name, view, expect, means=None, **more):
    FAULTS.append(Fault(row, name, view, expect, means, **more))


def answer(body, content_type=XML, status=200, **headers):
    """A view that gives these bytes; a type of None leaves the header out."""

    def view():
        response = Response(body, status=status)
        if content_type is None:
            del response.headers["Content-Type"]
        else:
            response.headers["Content-Type"] = content_type
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return view


# 1: good TwiML under another type ------------------------------------------------------------------
for name, content_type in {
    "html": "text/html; charset=utf-8",
    "html-bare": "text/html",
    "plain": "text/plain",
    "plain-utf8": "text/plain; charset=utf-8",
    "json": "application/json",
    "octet-stream": "application/octet-stream",
    "txt-xml": "txt/xml",
    "no-slash": "xml",
    "no-subtype": "text/",
    "empty-value": "",
    "list-of-two": "text/xml, text/html",
    "wrong-charset": "text/xml; charset=utf8mb4",
    "latin1-label-on-utf8": "text/xml; charset=iso-8859-1",
    "form": "application/x-www-form-urlencoded",
    "missing": None,
}.items():
    fault("1", name, answer(MENU, content_type), "repaired", MENU, exact=True, logged=not name.startswith("html"))

# 2: something else than TwiML ----------------------------------------------------------------------
PAGE = b"<!DOCTYPE html><html><head><title>Oops</title></head><body><h1>Something went wrong</h1></body></html>"
QUOTING = b"<!DOCTYPE html><html><body><h1>Docs</h1><p>Answer with:</p><pre>" + b"<Response><Say>quoted</Say></Response>" + b"</pre></body></html>"
TRACE = b'Traceback (most recent call last):\n  File "/app/pbx.py", line 12, in voice\n    cursor.execute(sql)\npsycopg2.OperationalError: could not connect\n'
for name, view in {
    "html-200": answer(PAGE, "text/html"),
    "html-200-as-xml": answer(PAGE),
    "html-500": answer(PAGE, "text/html", 500),
    "html-503": answer(PAGE, "text/html", 503, Retry_After="30"),
    "json-200": answer(b'{"status":"ok"}', "application/json"),
    "json-200-as-xml": answer(b'{"status":"ok"}'),
    "json-422": answer(b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "application/json", 422),
    "json-500": answer(b'{"error":"boom"}', "application/json", 500),
    "traceback-500": answer(TRACE, "text/plain", 500),
    "traceback-200": answer(TRACE, "text/plain", 200),
    "ok-200": answer(b"OK", "text/plain"),
    "ok-200-as-html": answer(b"OK", "text/html"),
    "null-200": answer(b"null", "application/json"),
    "csrf-403": answer(b"<html><head><title>403 Forbidden</title></head><body>CSRF verification failed.</body></html>", "text/html", 403),
    "csrf-419": answer(b"<html><head><title>Page Expired</title></head><body>419</body></html>", "text/html", 419),
    "signature-403": answer(b"Twilio Request Validation Failed.", "text/plain", 403),
    "signature-401": answer(b"Unauthorized", "text/plain", 401),
    "not-found-404": answer(PAGE, "text/html", 404),
    "too-many-429": answer(b"slow down", "text/plain", 429, Retry_After="1"),
    "empty-500": answer(b"", "text/html", 500),
    "other-root": answer(b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    "page-that-is-xml": answer(b"<html><body/></html>"),
    "python-repr": answer(b"<twilio.twiml.voice_response.VoiceResponse object at 0x7f00>", "text/html"),
}.items():
    fault("2", name, view, "replaced")
for status in (200, 404, 500):
    fault("2", f"quoted-in-page-{status}", answer(QUOTING, "text/html", status), "replaced", never=b"quoted")
for status in (400, 403, 404, 500, 503):
    fault("2", f"twiml-with-{status}", answer(MENU, XML, status), "repaired", MENU)
fault("2", "messaging-html-500", answer(PAGE, "text/html", 500), "replaced", EMPTY, parameters="message")

# 3: something before the document ------------------------------------------------------------------
for name, before in {
    "bom": b"\xef\xbb\xbf",
    "bom-twice": b"\xef\xbb\xbf\xef\xbb\xbf",
    "bom-and-newline": b"\xef\xbb\xbf\n",
    "blank": b" ",
    "newline": b"\n",
    "crlf-and-tab": b"\r\n\t",
    "no-break-space": "\u00a0".encode(),
    "zero-width-space": "\u200b".encode(),
    "word-joiner": "\u2060".encode(),
    "right-to-left-mark": "\u200f".encode(),
    "emoji": "🚀 ".encode(),
    "hebrew": "שלום\n".encode(),
    "words": b"here is your TwiML:\n",
}.items():
    fault("3", name, answer(before + MENU), "repaired", MENU)
for name, before in {"bom-no-declaration": b"\xef\xbb\xbf", "zero-width-no-declaration": "\u200b".encode(), "word-no-declaration": b"ok "}.items():
    fault("3", name, answer(before + BARE), "repaired", MENU)
fault("3", "nul", answer(b"\x00" + MENU), "repaired", MENU)
fault("3", "newlines-no-declaration", answer(b"\n\n  " + BARE), "untouched", MENU)
fault("3", "declaration-twice", answer(DECLARATION + MENU), "repaired", MENU)

# 4: XML written by hand ----------------------------------------------------------------------------
for name, body, means in [
    ("ampersand-in-attribute", b'<Response><Gather action="/a?miss=1&lang=he"/></Response>', b'<Response><Gather action="/a?miss=1&amp;lang=he"/></Response>'),
    ("ampersand-in-text", b"<Response><Say>Tom & Jerry</Say></Response>", b"<Response><Say>Tom &amp; Jerry</Say></Response>"),
    ("ampersand-in-stream-url", b'<Response><Connect><Stream url="wss://media.example.net/p?a=1&b=2"/></Connect></Response>', b'<Response><Connect><Stream url="wss://media.example.net/p?a=1&amp;b=2"/></Connect></Response>'),
    ("html-entities", b"<Response><Say>caf&eacute;&nbsp;&copy; 2026</Say></Response>", "<Response><Say>café\u00a0© 2026</Say></Response>".encode()),
    ("unquoted-attribute", b"<Response><Pause length=3/><Say voice=alice>Hi</Say></Response>", b'<Response><Pause length="3"/><Say voice="alice">Hi</Say></Response>'),
    ("curly-quotes", "<Response><Say language=“en-US”>Hi</Say></Response>".encode(), b'<Response><Say language="en-US">Hi</Say></Response>'),
    ("less-than-in-text", b"<Response><Say>5 < 6 is true</Say></Response>", b"<Response><Say>5 &lt; 6 is true</Say></Response>"),
    ("root-not-closed", b"<Response><Say>Hi</Say>", b"<Response><Say>Hi</Say></Response>"),
    ("gather-not-closed", b'<Response><Gather numDigits="1"><Say>Press 1</Say>', b'<Response><Gather numDigits="1"><Say>Press 1</Say></Gather></Response>'),
    ("root-end-cut", b"<Response><Say>Hi</Say></Respo", b"<Response><Say>Hi</Say></Response>"),
    ("crossed-tags", b"<Response><Gather><Say>a</Gather></Say></Response>", b"<Response><Gather><Say>a</Say></Gather></Response>"),
    ("no-root", b"<Say>Hello</Say>", b"<Response><Say>Hello</Say></Response>"),
    ("root-end-cut-after-slash", b"<Response><Say>Hi</Say></", b"<Response><Say>Hi</Say></Response>"),
]:
    fault("4", name, answer(body), "repaired", means)
for name, body in {
    "cut-in-text": b"<Response><Say>Your code is 12",
    "cut-in-attribute": b'<Response><Say voice="ali',
}.items():
    fault("4", name, answer(body), "replaced")

# 5: nothing ----------------------------------------------------------------------------------------
NOTHING = {
    "no-content": answer(b"", None, 204),
    "no-content-typed": answer(b"", XML, 204),
    "empty": answer(b"", XML),
    "empty-html": answer(b"", "text/html"),
    "empty-untyped": answer(b"", None),
    "blanks": answer(b" \r\n\t \n"),
    "bom-only": answer(b"\xef\xbb\xbf"),
}
for name, view in NOTHING.items():
    fault("5", name, view, "replaced")
    fault("5", f"messaging-{name}", view, "replaced", EMPTY, parameters="message")
    fault("5", f"dial-completed-{name}", view, "replaced", EMPTY, parameters="dial-completed")
    fault("5", f"call-over-{name}", view, "replaced", EMPTY, parameters="gather-completed")

# 7: scheme and host in URLs ------------------------------------------------------------------------


def stream(url):
    return f'<Response><Connect><Stream url="{url}"/></Connect></Response>'.encode()


for name, wrong, right in [
    ("wss-https", f"wss://https://{HOST}/ws/twilio-media", f"wss://{HOST}/ws/twilio-media"),
    ("wss-https-foreign", "wss://https://media.example.net/ws", "wss://media.example.net/ws"),
    ("wss-wss", f"wss://wss://{HOST}/ws/twilio-media", f"wss://{HOST}/ws/twilio-media"),
    ("two-slashes", f"wss://{HOST}//ws/twilio-media", f"wss://{HOST}/ws/twilio-media"),
    ("no-scheme", f"{HOST}/ws/twilio-media", f"wss://{HOST}/ws/twilio-media"),
]:
    fault("7", f"stream-{name}", answer(stream(wrong)), "repaired", stream(right))
for name, wrong, right in [
    ("https-https", f"https://https://{HOST}/a.mp3", f"https://{HOST}/a.mp3"),
    ("https-https-foreign", "https://https://cdn.example.net/a.mp3", "https://cdn.example.net/a.mp3"),
    ("two-slashes", f"https://{HOST}//a.mp3", f"https://{HOST}/a.mp3"),
    ("no-scheme", f"{HOST}/a.mp3", f"https://{HOST}/a.mp3"),
]:
    fault("7", f"play-{name}", answer(f"<Response><Play>{wrong}</Play></Response>".encode()), "repaired",
          f"<Response><Play>{right}</Play></Response>".encode())
fault("7", "action-https-https", answer(f'<Response><Gather action="https://https://{HOST}/menu"/></Response>'.encode()), "repaired",
      f'<Response><Gather action="https://{HOST}/menu"/></Response>'.encode())
fault("7", "foreign-two-slashes", answer(b"<Response><Play>https://cdn.example.net//a.mp3</Play></Response>"), "untouched")

# 9: something around the document ------------------------------------------------------------------
NOTICE = b"<br />\n<b>Notice</b>:  Undefined variable: lang in <b>/var/www/voice.php</b> on line <b>3</b><br />\n"
for name, before, after in [
    ("print-before", b"DEBUG request from +1555\n", b""),
    ("print-after", b"", b"\ndone in 12 ms\n"),
    ("both-sides", b"begin\n", b"\nend"),
    ("php-notice-before", NOTICE, b""),
    ("php-notice-after", b"", b"\n" + NOTICE),
    ("script-after", b"", b"\n<script>window.dataLayer = window.dataLayer || [];</script>"),
    ("script-before", b"<script src='/livereload.js'></script>\n", b""),
    ("comment-before", b"<!-- served by edge 7 -->\n", b""),
    ("json-log-before", b'{"level":"info","msg":"call"}\n', b""),
]:
    fault("9", name, answer(before + MENU + after), "repaired", MENU)
fault("9", "comment-after", answer(MENU + b"\n<!-- rendered in 3 ms -->"), "untouched", MENU)
fault("9", "two-documents", answer(MENU + b"\n" + b"<Response><Say>other</Say></Response>"), "replaced", never=b"other")
fault("9", "around-on-500", answer(b"oops\n" + MENU, XML, 500), "replaced")

# 10: content codings that nobody asked for ---------------------------------------------------------


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": ("gzip", gzip.compress(MENU, mtime=0)),
    "x-gzip": ("x-gzip", gzip.compress(MENU, mtime=0)),
    "deflate-zlib": ("deflate", zlib.compress(MENU)),
    "deflate-raw": ("deflate", raw_deflate(MENU)),
    "br": ("br", brotli.compress(MENU)),
    "zstd": ("zstd", zstandard.compress(MENU)),
    "header-without-gzip": ("gzip", MENU),
    "header-without-br": ("br", MENU),
    "gzip-without-header": (None, gzip.compress(MENU, mtime=0)),
    "zstd-without-header": (None, zstandard.compress(MENU)),
    "gzip-twice": ("gzip, gzip", gzip.compress(gzip.compress(MENU, mtime=0), mtime=0)),
    "gzip-twice-said-once": ("gzip", gzip.compress(gzip.compress(MENU, mtime=0), mtime=0)),
    "gzip-named-br": ("br", gzip.compress(MENU, mtime=0)),
    "gzip-wrong-checksum": ("gzip", gzip.compress(MENU, mtime=0)[:-8] + b"\0" * 8),
    "gzip-without-trailer": ("gzip", gzip.compress(MENU, mtime=0)[:-8]),
    "gzip-and-garbage": ("gzip", gzip.compress(MENU, mtime=0) + b"\0\0garbage"),
    "unknown-name": ("none", MENU),
}
for name, (coding, body) in PACKED.items():
    headers = {} if coding is None else {"Content_Encoding": coding}
    fault("10", name, answer(body, XML, 200, **headers), "repaired", MENU)
for name, (coding, body) in {
    "gzip-cut": ("gzip", gzip.compress(MENU * 3, mtime=0)[:40]),
    "gzip-corrupt": ("gzip", b"\x1f\x8b\x08\x00" + bytes(range(7, 200))),
    "br-corrupt": ("br", bytes(range(200, 255))),
    "gzip-of-html": ("gzip", gzip.compress(PAGE, mtime=0)),
    "gzip-bomb": ("gzip", gzip.compress(b"<Response>" + b" " * 50_000_000 + b"</Response>", mtime=0)),
}.items():
    fault("10", name, answer(body, XML, 200, Content_Encoding=coding), "replaced")
fault("10", "identity", answer(MENU, XML, 200, Content_Encoding="identity"), "any", MENU)

# 1 + 3 + 4 + 10 in one answer ------------------------------------------------------------------------
fault("several", "gzip-bom-ampersand-html", answer(gzip.compress("\ufeff\n".encode() + DECLARATION + b"<Response><Say>a & b</Say></Response>\ndone", mtime=0),
                                                   "text/html", 200, Content_Encoding="gzip"),
      "repaired", b"<Response><Say>a &amp; b</Say></Response>")
fault("several", "too-long", answer(b"<Response><Say>" + b"x" * 65536 + b"</Say></Response>"), "replaced")
fault("several", "lower-case-root", answer(b"<response><say>Hi</say></response>"), "any")
fault("several", "control-character", answer(b"<Response><Say>a\x0bb</Say></Response>"), "any")
