"""The platform's edge: plays a whole call against a base URL, follows TwiML as Twilio does, and tells what the caller heard.

    Edge(port).call(Caller(...)) -> Transcript

`port` is the backend itself ("before") or the guard in front of it ("after"). Hosts other than the own one are never called, only
noted. Which answers are refused with which code is what Twilio documents, or what its console showed for such calls.
"""

import base64
import http.client
import json
import socket
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

from lxml import etree
from twilio.request_validator import RequestValidator
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from twilio_side import CALL, HOST

# Above its own 15 s Twilio gives up; tests scale it with the guard's budget.
BUDGET = 15.0
MOST_BODY = 65536
MOST_DOCUMENTS = 20
MOST_HOPS = 10
XML_TYPES = {"text/xml", "application/xml", "text/html"}
APOLOGY = "application error"
WARNINGS = {12200, 13512, 13520, 15003, 31950, 31951}
# What the elements that teams misspell may carry.
ATTRIBUTES = {
    "Stream": {"name", "connectorName", "url", "track", "statusCallback", "statusCallbackMethod", "audioFormat", "sampleRate"},
    "Record": {"action", "method", "timeout", "finishOnKey", "maxLength", "playBeep", "trim", "recordingStatusCallback",
               "recordingStatusCallbackMethod", "recordingStatusCallbackEvent", "transcribe", "transcribeCallback"},
}
# One frame of mu-law silence: 20 ms.
FRAME = base64.b64encode(b"\xff" * 160).decode()


@dataclass
class Asked:
    """One HTTP exchange as the edge saw it; status 0: no answer."""

    method: str
    url: str
    form: dict
    status: int
    content_type: str | None
    headers: list
    body: bytes
    seconds: float
    hops: list = field(default_factory=list)

    @property
    def path(self):
        return urlsplit(self.url).path

    def __str__(self):
        return f"{self.method} {self.path} -> {self.status} {self.content_type} {self.body[:120]!r}"


@dataclass
class Streamed:
    """One stream: status of the handshake, who closed it with which code, frames each way."""

    url: str
    status: int = 0
    code: int | None = None
    closed_by: str = ""
    sent: int = 0
    audio: int = 0
    start: dict = field(default_factory=dict)


@dataclass
class Transcript:
    sid: str
    asked: list = field(default_factory=list)
    streams: list = field(default_factory=list)
    codes: list = field(default_factory=list)
    heard: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    ending: str = ""

    def errors(self):
        return [code for code, _ in self.codes if code not in WARNINGS]

    def logged(self):
        return sorted({code for code, _ in self.codes})

    def blamed(self, code):
        """The URL that Twilio's log names for this code."""
        return next(url for own, url in self.codes if own == code)

    def words(self):
        return " ".join(self.heard)

    def on(self, path):
        return [one for one in self.asked if one.path == path]


@dataclass
class Caller:
    """What the caller does. `hangs_up_after`: seconds into a stream (None: stays until the stream ends, at most `patience`)."""

    hangs_up_after: float | None = None
    patience: float = 3.0
    digits: list = field(default_factory=list)
    records: float | None = None
    dialled: str = "completed"


class Failed(Exception):
    """Twilio can't go on with this document or answer."""

    def __init__(self, code, url):
        super().__init__(code, url)
        self.code, self.url = code, url


class HungUp(Exception):
    """The call is over."""


class Edge:
    def __init__(self, port, voice="/webhook/incoming_call", fallback=None, status_callback=None, token=None, budget=BUDGET, host=HOST,
                 outage=0):
        self.port, self.host, self.token, self.budget = port, host, token, budget
        self.voice, self.fallback, self.status_callback = voice, fallback, status_callback
        # So many answers get lost on their way: the edge asks again with the same token.
        self.outage = outage

    def url(self, target):
        return target if "://" in target else f"https://{self.host}{target}"

    def call(self, caller=None, sid=None, **parameters):
        caller = caller or Caller()
        transcript = Transcript(sid or "CA" + uuid.uuid4().hex)
        form = CALL | {"CallSid": transcript.sid} | parameters
        Call(self, caller, transcript, form).run()
        return transcript

    # HTTP ------------------------------------------------------------------------------------------------

    def ask(self, url, method, form, transcript=None):
        """One webhook with its redirects, within the budget."""
        deadline = time.monotonic() + self.budget
        start, asked_url, hops = time.monotonic(), url, []
        token = str(uuid.uuid4())
        while True:
            lost, self.outage = self.outage > 0, max(0, self.outage - 1)
            if lost:
                self.once(asked_url, method, form, token, deadline, is_read=False)
            status, headers, body = self.once(asked_url, method, form, token, deadline)
            given = {name.lower(): value for name, value in headers}
            asked = Asked(method, url, form, status, given.get("content-type"), headers, body, time.monotonic() - start, hops)
            if transcript is not None:
                transcript.asked.append(asked)
            if not 300 <= status < 400:
                return asked
            if status not in (301, 302, 303, 307) or "location" not in given:
                raise Failed(11216, url)
            if len(hops) >= MOST_HOPS:
                raise Failed(11215, url)
            asked_url = urljoin(asked_url, given["location"])
            hops.append(asked_url)
            if urlsplit(asked_url).hostname != self.host:
                if transcript is not None:
                    transcript.foreign.append(asked_url)
                raise Failed(11200, url)
            if status != 307:
                method = "GET"

    def once(self, url, method, form, token, deadline, is_read=True):
        """(status, headers, body); status 0 where nothing came in time."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        body = b""
        if method == "GET":
            target += ("&" if "?" in target else "?") + urlencode(form)
        else:
            body = urlencode(form).encode()
        headers = {"Host": parts.netloc, "Accept": "*/*", "User-Agent": "TwilioProxy/1.1", "I-Twilio-Idempotency-Token": token,
                   "X-Home-Region": "us1", "X-Forwarded-Proto": "https", "Connection": "close"}
        if method != "GET":
            headers |= {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "Content-Length": str(len(body))}
        if self.token:
            signed = RequestValidator(self.token).compute_signature(f"https://{parts.netloc}{target}", form if method != "GET" else {})
            headers["X-Twilio-Signature"] = signed
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=max(0.05, deadline - time.monotonic()))
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            if not is_read:
                return 0, [], b""
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException):
            return 0, [], b""
        finally:
            connection.close()

    # Streams ---------------------------------------------------------------------------------------------

    def stream(self, url, form, parameters, caller):
        """Opens a stream with Twilio's own headers and messages and plays it to its end."""
        parts = urlsplit(url)
        streamed = Streamed(url)
        headers = {"X-Forwarded-Proto": "https"}
        if self.token:
            headers["X-Twilio-Signature"] = RequestValidator(self.token).compute_signature(url, {})
        conn = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        target = f"ws://{parts.netloc}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
        try:
            ws = connect(target, sock=conn, additional_headers=headers, user_agent_header="Twilio.TmeWs/1.0", compression=None,
                         open_timeout=5, close_timeout=1, ping_interval=None, proxy=None)
        except InvalidStatus as refused:
            streamed.status = refused.response.status_code
            return streamed
        except (InvalidMessage, InvalidHandshake, OSError, EOFError, TimeoutError):
            conn.close()
            return streamed
        streamed.status = 101
        with ws:
            self.talk(ws, streamed, form, parameters, caller)
        return streamed

    def talk(self, ws, streamed, form, parameters, caller):
        sid, number = "MZ" + uuid.uuid4().hex, 0
        streamed.start = {"accountSid": form["AccountSid"], "streamSid": sid, "callSid": form["CallSid"], "tracks": ["inbound"],
                          "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}, "customParameters": parameters}
        begun = time.monotonic()
        leaves = caller.hangs_up_after if caller.hangs_up_after is not None else caller.patience
        try:
            ws.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
            ws.send(json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": sid, "start": streamed.start}))
            while time.monotonic() - begun < leaves:
                number += 1
                media = {"track": "inbound", "chunk": str(number), "timestamp": str(number * 20), "payload": FRAME}
                ws.send(json.dumps({"event": "media", "sequenceNumber": str(number + 1), "streamSid": sid, "media": media}))
                streamed.sent += 1
                try:
                    while True:
                        if json.loads(ws.recv(timeout=0.01)).get("event") == "media":
                            streamed.audio += 1
                except TimeoutError:
                    pass
            ws.send(json.dumps({"event": "stop", "sequenceNumber": str(number + 2), "streamSid": sid,
                                "stop": {"accountSid": form["AccountSid"], "callSid": form["CallSid"]}}))
            ws.close(1000)
            streamed.closed_by, streamed.code = "twilio", 1000
        except ConnectionClosed as closed:
            # What isn't WebSocket makes the client say 1002 itself.
            if closed.sent is not None and closed.sent.code == 1002 and not closed.rcvd_then_sent:
                streamed.closed_by, streamed.code = "protocol", 1002
            else:
                streamed.closed_by, streamed.code = "backend", closed.rcvd.code if closed.rcvd else None


class Call:
    """One call from ringing to its end."""

    def __init__(self, edge, caller, transcript, form):
        self.edge, self.caller, self.transcript, self.form = edge, caller, transcript, form
        self.has_fallen_back = False
        self.is_over = False
        self.documents = 0
        self.digits = list(caller.digits)

    def run(self):
        here = self.edge.url(self.edge.voice)
        try:
            self.follow(here, "POST", {})
        except HungUp as how:
            self.transcript.ending = str(how)
        self.form["CallStatus"] = "completed"
        if self.edge.status_callback:
            self.callback(self.edge.url(self.edge.status_callback), {"CallDuration": "7", "CallbackSource": "call-progress-events", "SequenceNumber": "0"})

    def log(self, code, url):
        self.transcript.codes.append((code, url))

    def follow(self, url, method, more):
        """Fetches a document and runs it, then what it leads to; ends in HungUp."""
        while True:
            try:
                found = self.fetch(url, method, more)
                if self.is_over:
                    raise HungUp("caller hung up")
                url, method, more = self.execute(found, url)
            except Failed as failed:
                self.log(failed.code, failed.url)
                if self.is_over:
                    raise HungUp("caller hung up") from None
                if self.has_fallen_back or not self.edge.fallback:
                    self.transcript.heard.append(APOLOGY)
                    raise HungUp(APOLOGY) from None
                self.has_fallen_back = True
                url, method = self.edge.url(self.edge.fallback), "POST"
                more = {"ErrorCode": str(failed.code), "ErrorUrl": failed.url}

    def fetch(self, url, method, more):
        """The `Response` element, or None where there is nothing to run."""
        self.documents += 1
        if self.documents > MOST_DOCUMENTS:
            raise HungUp("loop")
        if urlsplit(url).hostname != self.edge.host:
            self.transcript.foreign.append(url)
            raise HungUp("foreign host")
        asked = self.edge.ask(url, method, self.form | more, self.transcript)
        if self.form["CallStatus"] == "ringing":
            self.form["CallStatus"] = "in-progress"
        return self.read(asked)

    def read(self, asked):
        if asked.status == 0 or asked.status >= 400:
            raise Failed(11200, asked.url)
        if not asked.body and self.is_over:
            return None
        if not asked.body:
            raise Failed(12100, asked.url)
        kind = (asked.content_type or "").split(";")[0].strip().lower()
        if not kind:
            raise Failed(11200, asked.url)
        if kind.startswith("audio/"):
            self.transcript.heard.append("audio")
            return None
        if kind == "text/plain":
            self.transcript.heard.append(asked.body.decode(errors="replace"))
            return None
        if kind not in XML_TYPES:
            raise Failed(12300, asked.url)
        if len(asked.body) > MOST_BODY:
            raise Failed(11750, asked.url)
        try:
            root = etree.fromstring(asked.body, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            raise Failed(12100, asked.url) from None
        if root.getroottree().docinfo.doctype:
            raise Failed(12100, asked.url)
        if root.tag != "Response":
            raise Failed(12102, asked.url)
        return root

    def execute(self, root, here):
        """Runs the verbs; gives the next (URL, method, parameters)."""
        for verb in root if root is not None else ():
            if not isinstance(verb.tag, str):
                continue
            self.lint(verb, here)
            after = getattr(self, f"do_{verb.tag.lower()}", self.do_nothing)(verb, here)
            if after is not None:
                return after
        raise HungUp("document ended")

    def lint(self, verb, here):
        """What the schema only warns about."""
        for element in verb.iter("Stream", "Record", "Say"):
            if element.tag != "Say" and set(element.attrib) - ATTRIBUTES[element.tag]:
                self.log(12200, here)
            if element.tag == "Say" and element.get("language", "").startswith("he") and element.get("voice") in ("man", "woman", "alice"):
                self.log(13512, here)

    # Verbs -----------------------------------------------------------------------------------------------

    def do_nothing(self, verb, here):
        return None

    def do_say(self, verb, here):
        text = "".join(verb.itertext()).strip()
        if text:
            self.transcript.heard.append(text)

    def do_play(self, verb, here):
        url = urljoin(here, (verb.text or "").strip())
        if urlsplit(url).hostname != self.edge.host:
            self.transcript.foreign.append(url)
            return
        # Media fetches carry none of the call's parameters.
        asked = self.edge.ask(url, "GET", {}, self.transcript)
        if asked.status != 200 or not (asked.content_type or "").startswith("audio/"):
            raise Failed(11200, url)
        self.transcript.heard.append("audio")

    def do_gather(self, verb, here):
        for inner in verb:
            getattr(self, f"do_{inner.tag.lower()}", self.do_nothing)(inner, here)
        if self.digits:
            return self.after(verb, here, {"Digits": self.digits.pop(0), "FinishedOnKey": ""}, default=here)
        return None

    def do_record(self, verb, here):
        if self.caller.records is None:
            return None
        more = {"RecordingUrl": "https://api.twilio.com/2010-04-01/Accounts/AC0123/Recordings/RE0123456789abcdef0123456789abcdef",
                "RecordingSid": "RE0123456789abcdef0123456789abcdef", "RecordingDuration": str(int(self.caller.records)), "Digits": "hangup"}
        if verb.get("recordingStatusCallback"):
            # As captured: little of the call's own form is in it.
            told = {"RecordingSource": "RecordVerb", "RecordingTrack": "inbound", "RecordingStatus": "completed", "RecordingChannels": "1",
                    "ErrorCode": "0", "RecordingStartTime": "Thu, 01 Jan 2026 00:00:00 +0000"}
            recording = {name: more[name] for name in ("RecordingSid", "RecordingUrl", "RecordingDuration")}
            own = {name: self.form[name] for name in ("AccountSid", "CallSid")}
            self.callback(urljoin(here, verb.get("recordingStatusCallback")), told | recording, own)
        return self.after(verb, here, more, default=here)

    def do_dial(self, verb, here):
        more = {"DialCallStatus": self.caller.dialled, "DialCallSid": "CA" + "f" * 32, "DialCallDuration": "4"}
        return self.after(verb, here, more) if verb.get("action") else None

    def do_redirect(self, verb, here):
        return urljoin(here, (verb.text or "").strip()), verb.get("method", "POST"), {}

    def do_hangup(self, verb, here):
        raise HungUp("hung up")

    def do_reject(self, verb, here):
        raise HungUp("rejected")

    def do_connect(self, verb, here):
        stream = verb.find("Stream")
        if stream is None:
            return None
        if stream.get("track") not in (None, "inbound_track"):
            self.log(31941, here)
        else:
            self.run_stream(stream, here)
        return self.after(verb, here, {}) if verb.get("action") else self.ended()

    def ended(self):
        if self.is_over:
            raise HungUp("caller hung up")

    def after(self, verb, here, more, default=None):
        return urljoin(here, verb.get("action") or default), verb.get("method", "POST"), more

    # Streams ---------------------------------------------------------------------------------------------

    def run_stream(self, stream, here):
        url = stream.get("url") or ""
        parts = urlsplit(url)
        status = stream.get("statusCallback")
        if parts.scheme != "wss":
            return self.stream_failed(31922, url, status, here)
        if "://" in url.removeprefix("wss://") or not parts.hostname:
            return self.stream_failed(31923, url, status, here)
        if parts.hostname != self.edge.host:
            self.transcript.foreign.append(url)
            return None
        parameters = {one.get("name"): one.get("value") for one in stream.findall("Parameter")}
        streamed = self.edge.stream(url, self.form, parameters, self.caller)
        self.transcript.streams.append(streamed)
        if streamed.status != 101:
            return self.stream_failed(31920, url, status, here)
        self.stream_event(status, here, "stream-started")
        if streamed.closed_by == "protocol":
            return self.stream_failed(31924, url, status, here)
        if streamed.code not in (None, 1000, 1001):
            self.log(31921, url)
        if streamed.closed_by == "twilio":
            self.is_over = True
            self.form["CallStatus"] = "completed"
        if streamed.audio:
            self.transcript.heard.append("stream audio")
        self.stream_event(status, here, "stream-stopped")
        return None

    def stream_failed(self, code, url, status, here):
        self.log(code, url)
        self.stream_event(status, here, "stream-error", StreamError=str(code))

    def stream_event(self, status, here, event, **more):
        if status:
            self.callback(urljoin(here, status), {"StreamEvent": event, "StreamSid": "MZ" + "0" * 32, "Timestamp": "2026-01-01T00:00:00Z"} | more)

    def callback(self, url, more, own=None):
        """A status callback: nothing in its answer steers the call. `own`: what of the call's form comes along."""
        if urlsplit(url).hostname != self.edge.host:
            self.transcript.foreign.append(url)
            return
        try:
            asked = self.edge.ask(url, "POST", (self.form if own is None else own) | more, self.transcript)
        except Failed:
            self.log(15003, url)
            return
        if asked.status == 0 or asked.status >= 400:
            self.log(15003, url)
