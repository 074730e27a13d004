"""Twilio's side of the wire: signed webhook requests over a bare socket, and answers with nothing tidied."""

import socket
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

TOKEN = "0123456789abcdef0123456789abcdef"
HOST = "pbx.example.com"
CALL = {
    "AccountSid": "AC0123456789abcdef0123456789abcdef",
    "ApiVersion": "2010-04-01",
    "CallSid": "CA0123456789abcdef0123456789abcdef",
    "CallStatus": "ringing",
    "Called": "+15550100002",
    "Caller": "+15550100001",
    "Direction": "inbound",
    "From": "+15550100001",
    "To": "+15550100002",
}
MESSAGE = {
    "AccountSid": "AC0123456789abcdef0123456789abcdef",
    "ApiVersion": "2010-04-01",
    "Body": "Hello & שלום",
    "From": "+15550100001",
    "MessageSid": "SM0123456789abcdef0123456789abcdef",
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsMessageSid": "SM0123456789abcdef0123456789abcdef",
    "SmsSid": "SM0123456789abcdef0123456789abcdef",
    "SmsStatus": "received",
    "To": "+15550100002",
}
# Said by a connection, not by the one who answered.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "trailer", "upgrade"}


@dataclass
class Reply:
    status: int
    headers: list
    body: bytes
    seconds: float
    first_line: str = ""
    interim: list = field(default_factory=list)

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name):
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    def end_to_end(self):
        return sorted((key.lower(), value) for key, value in self.headers if key.lower() not in HOP_BY_HOP)


def split_head(raw):
    head, separator, rest = raw.partition(b"\r\n\r\n")
    if not separator:
        raise ConnectionError(f"closed before the end of the headers: {raw[:200]!r}")
    lines = head.decode("latin-1").split("\r\n")
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    return lines[0], headers, rest


def exchange(port, data, timeout=30):
    """Sends the bytes, reads to the end of the connection; interim 1xx answers are kept apart."""
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as conn:
        conn.sendall(data)
        raw = b""
        while chunk := conn.recv(65536):
            raw += chunk
    seconds = time.monotonic() - start
    interim = []
    while True:
        first_line, headers, rest = split_head(raw)
        status = int(first_line.split(" ")[1])
        if status >= 200:
            return Reply(status, headers, rest, seconds, first_line, interim)
        interim.append(first_line)
        raw = rest


def signature(url, parameters):
    return RequestValidator(TOKEN).compute_signature(url, parameters)


def webhook(target, parameters=None, method="POST", host=HOST, proto="https", headers=(), close=True):
    """The bytes of a signed webhook request as Twilio's captures show them."""
    parameters = CALL if parameters is None else parameters
    body = b""
    if method == "GET":
        target += ("&" if "?" in target else "?") + urlencode(parameters)
        signed = signature(f"{proto}://{host}{target}", {})
    else:
        body = urlencode(parameters).encode()
        signed = signature(f"{proto}://{host}{target}", parameters)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    if method != "GET":
        lines += ["Content-Type: application/x-www-form-urlencoded; charset=UTF-8", f"Content-Length: {len(body)}"]
    lines += [
        "Accept: */*",
        "User-Agent: TwilioProxy/1.1",
        f"I-Twilio-Idempotency-Token: {uuid.uuid4()}",
        "X-Home-Region: us1",
        f"X-Twilio-Signature: {signed}",
    ]
    lines += [f"{name}: {value}" for name, value in headers]
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def call(port, target, parameters=None, timeout=30, **options):
    return exchange(port, webhook(target, parameters, **options), timeout)


def plain(port, method, target, headers=(), body=b"", timeout=30, host=HOST):
    """A request that is no webhook."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    if all(name != "User-Agent" for name, _ in headers):
        lines.append("User-Agent: test")
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return exchange(port, ("\r\n".join(lines) + "\r\n\r\n").encode() + body, timeout)
