"""What the scenarios share: the built guard as a process, a backend to be scripted, clients, and readers of /proc."""

import asyncio
import base64
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("TWIML_GUARD_BIN") or ROOT / "target" / "debug" / "twiml-guard")
MENU = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>Welcome.</Say></Response>"
APOLOGY = b"<Say"
MB = 1 << 20


class Skip(Exception):
    """The scenario can't run here; the text says why."""


def waits(scenario):
    """Marks one that mostly waits and takes no narrow measure: it may run beside others."""
    scenario.mostly_waits = True
    return scenario


def takes_minutes(scenario):
    """Marks a scenario that has no short form."""
    scenario.takes_minutes = True
    return scenario


# The guard -----------------------------------------------------------------------------------------------


def config_text(upstream, top="", tables=""):
    """`upstream` is one URL, or a list of them."""
    way = f'upstream = "{upstream}"' if isinstance(upstream, str) else f"upstreams = {json.dumps(upstream)}"
    return f'listen = "127.0.0.1:0"\n{way}\n{top}\n[ops]\nlisten = "127.0.0.1:0"\n[log]\nformat = "json"\n{tables}\n'


class Guard:
    """`twiml-guard serve` before `upstream`; `top` are lines at the top of its configuration, `tables` those behind it."""

    def __init__(self, upstream, top="", tables="", files=None, state=None, environment=None):
        self.folder = Path(tempfile.mkdtemp(prefix="guard-"))
        self.path = self.folder / "guard.toml"
        self.state = state or self.folder / "state"
        self.upstream, self.tables = upstream, tables
        self.configure(top)
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TWIML_GUARD_")}
        self.log = (self.folder / "log").open("wb")
        # Its own limit, not the raised one of the tests.
        limit = files or min(10_000 + 2_500, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        self.process = subprocess.Popen(
            [BINARY, "serve", "--config", self.path, "--state-dir", self.state], cwd=self.folder, env=clean | (environment or {}),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        )

    def configure(self, top="", tables=None):
        """Writes the configuration, as editors do: a new file in the old one's place."""
        fresh = self.folder / "guard.toml.new"
        fresh.write_text(config_text(self.upstream, top, self.tables if tables is None else tables))
        fresh.rename(self.path)

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def events(self):
        out = []
        for line in (self.folder / "log").read_text(errors="replace").splitlines():
            try:
                out.append(json.loads(line))
            except ValueError:
                out.append({"message": line})
        return out

    def tail(self):
        lines = (self.folder / "log").read_text(errors="replace").splitlines()[-8:]
        return "\n".join(line[:300] for line in lines)

    async def port_of(self, listener):
        def told():
            return next((event["server.address"] for event in self.events() if event.get("listener") == listener), None)

        address = await until(told, 20, lambda: f"the guard does not listen (exit code {self.process.poll()}):\n{self.tail()}")
        return int(address.rsplit(":", 1)[1])

    async def metric(self, name):
        """The sum of all samples of this name; None if there is none."""
        answer = await ask(self.ops, get("/metrics", keep=False))
        values = [float(line.rsplit(" ", 1)[1]) for line in answer.body.decode().splitlines()
                  if line.startswith(name) and line[len(name)] in " {"]
        return sum(values) if values else None

    async def ended(self, timeout):
        """The exit code, and the seconds that it took."""
        start = time.monotonic()
        code = await until(self.process.poll, timeout, lambda: f"the guard is still there after {timeout} s", zero=True)
        return code, time.monotonic() - start

    async def __aenter__(self):
        try:
            self.port = await self.port_of("public")
            self.ops = await self.port_of("ops")
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, *_):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


async def until(what, timeout, why=lambda: "", zero=False, pause=0.02):
    """The first true value that `what` gives (or 0, if that counts)."""
    deadline = time.monotonic() + timeout
    while True:
        value = what()
        if asyncio.iscoroutine(value):
            value = await value
        if value or (zero and value == 0 and value is not False):
            return value
        assert time.monotonic() < deadline, why() or f"not within {timeout} s"
        await asyncio.sleep(pause)


# /proc ---------------------------------------------------------------------------------------------------


def memory(pid, field="VmRSS"):
    """In bytes: VmRSS is what is resident now, VmHWM the most since the last `forget_peak`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field} of process {pid}")


def forget_peak(pid):
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def limit_files(pid, count):
    """From now on; what is open stays open."""
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(count, hard), hard))


# The backend ---------------------------------------------------------------------------------------------


def http(body=MENU, status="200 OK", kind="text/xml", *more):
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n" + "".join(f"{line}\r\n" for line in more)
    return head.encode() + b"\r\n" + body


class Request:
    """What the backend read; a body beyond 2 MB is counted, not kept."""

    def __init__(self, head, lane):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.path = self.target.partition("?")[0]
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.length = int(self.headers.get("content-length", 0))
        self.body = b""
        self.lane = lane
        self.number = None

    def form(self, name):
        return urllib.parse.parse_qs(self.body.decode()).get(name, [""])[0]


class Lane(asyncio.Protocol):
    """One connection of the backend. What its handler gives is written; None cuts the connection."""

    def __init__(self, backend):
        self.backend, self.buffer, self.busy, self.taker, self.request = backend, bytearray(), False, None, None
        self.left, self.gone, self.served, self.task, self.timer = 0, False, 0, None, None
        self.room = asyncio.Event()
        self.room.set()

    def connection_made(self, transport):
        self.transport = transport
        self.backend.lanes.add(self)
        self.backend.accepted += 1

    def connection_lost(self, _):
        self.gone = True
        self.room.set()
        self.backend.lanes.discard(self)
        self.stop_timer()
        if self.task:
            self.task.cancel()
        if self.taker:
            self.taker(b"")

    def pause_writing(self):
        self.room.clear()

    def resume_writing(self):
        self.room.set()

    def stop_timer(self):
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def data_received(self, data):
        self.stop_timer()
        if self.taker:
            self.taker(data)
            return
        if self.left > 0 and self.request and not self.request.keeps:
            self.left -= len(data)  # a large body
        else:
            self.buffer += data
        self.go_on()

    def go_on(self):
        while not self.busy and not self.gone and not self.taker:
            if self.request is None:
                end = self.buffer.find(b"\r\n\r\n")
                if end < 0:
                    return
                self.request = Request(bytes(self.buffer[:end]), self)
                del self.buffer[:end + 4]
                self.left, self.request.keeps = self.request.length, self.request.length <= 2 * MB
                assert "transfer-encoding" not in self.request.headers, "this backend reads lengths only"
                if not self.request.keeps:
                    self.left -= len(self.buffer)
                    self.buffer.clear()
            if self.request.keeps:
                if len(self.buffer) < self.request.length:
                    return
                self.request.body = bytes(self.buffer[:self.request.length])
                del self.buffer[:self.request.length]
            elif self.left > 0:
                return
            self.busy = True
            request, self.request = self.request, None
            self.served += 1
            self.backend.served += 1
            answer = self.backend.handler(request)
            if asyncio.iscoroutine(answer):
                self.task = asyncio.ensure_future(self.finish(answer))
            else:
                self.answer(answer)

    async def finish(self, answer):
        try:
            self.answer(await answer)
        except ConnectionError:
            self.transport.abort()

    def answer(self, answer):
        self.task = None
        if answer is None:
            self.transport.abort()
            return
        self.transport.write(answer)
        self.busy = False
        if self.backend.idle is not None and not self.taker:
            self.timer = asyncio.get_running_loop().call_later(self.backend.idle(), self.transport.close)
        self.go_on()

    def take(self, taker):
        """What comes from now on is the taker's, b"" at the end."""
        self.taker = taker

    async def send(self, data):
        """Writes when there is room; fails once the connection is gone."""
        await self.room.wait()
        await asyncio.sleep(0)  # room or not: only now is a lost connection noticed
        if self.gone or self.transport.is_closing():
            raise ConnectionResetError
        self.transport.write(data)


class Backend:
    """Answers each request with what `handler(request)` gives: bytes, None (a cut), or a coroutine of either."""

    def __init__(self, handler=lambda _: http(), idle=None):
        self.handler, self.idle = handler, idle  # idle(): seconds that it keeps a connection open after an answer
        self.port, self.lanes, self.served, self.accepted, self.server = 0, set(), 0, 0, None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Lane(self), "127.0.0.1", self.port, backlog=4096, reuse_address=True)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def stop(self):
        """Gone as a killed process is: no listener, every connection reset."""
        if self.server:
            self.server.close()
            self.server = None
        for lane in list(self.lanes):
            lane.transport.abort()

    async def __aenter__(self):
        return await self.start()

    async def __aexit__(self, *_):
        self.stop()
        await asyncio.sleep(0)


# Clients -------------------------------------------------------------------------------------------------


def get(path="/page", keep=True):
    return f"GET {path} HTTP/1.1\r\nHost: pbx.example.com\r\n{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n".encode()


def form(number=1, **more):
    values = {"CallSid": f"CA{number:032x}", "AccountSid": "AC0123456789abcdef0123456789abcdef", "CallStatus": "ringing", "Direction": "inbound",
              "From": f"+1555010{number % 10_000:04d}", "To": "+15550209999", "ApiVersion": "2010-04-01"}
    return urllib.parse.urlencode(values | more).encode()


def post(path, body, keep=True, *more, length=None):
    head = [f"POST {path} HTTP/1.1", "Host: pbx.example.com", "User-Agent: TwilioProxy/1.1", "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body) if length is None else length}", *([] if keep else ["Connection: close"]), *more]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def webhook(number=1, path="/voice", keep=True, **more):
    return post(path, form(number, **more), keep)


class Answer:
    def __init__(self, head, body, took):
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.body, self.took = body, took

    @property
    def is_twiml(self):
        if self.status != 200 or "xml" not in self.headers.get("content-type", ""):
            return False
        try:
            return ElementTree.fromstring(self.body).tag == "Response"
        except ElementTree.ParseError:
            return False

    @property
    def is_fallback(self):
        return "twiml-guard-incident" in self.headers

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:120]!r}"


class Connection:
    """A client's connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port, timeout=5):
        return cls(*await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port, limit=MB), timeout))

    async def answer(self, start, kept=True):
        while True:
            head = await self.reader.readuntil(b"\r\n\r\n")
            if head[9:10] != b"1" or head[9:12] == b"101":
                break
        answer = Answer(head, b"", 0)
        if "content-length" in answer.headers:
            left = int(answer.headers["content-length"])
            if kept:
                answer.body = await self.reader.readexactly(left)
            else:
                while left > 0:
                    part = await self.reader.read(min(left, 1 << 18))
                    if not part:
                        raise asyncio.IncompleteReadError(b"", left)
                    left -= len(part)
        elif "chunked" in answer.headers.get("transfer-encoding", ""):
            parts = []
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                parts.append(await self.reader.readexactly(size))
                await self.reader.readexactly(2)
            await self.reader.readuntil(b"\r\n")
            answer.body = b"".join(parts)
        elif answer.status not in (101, 204, 304):
            answer.body = await self.reader.read()
        answer.took = time.monotonic() - start
        return answer

    async def ask(self, request, timeout=20, kept=True):
        start = time.monotonic()
        self.writer.write(request)
        return await asyncio.wait_for(self.answer(start, kept), timeout)

    async def gone(self, timeout):
        """Waits until the other side has closed; gives what came until then."""
        try:
            return await asyncio.wait_for(self.reader.read(), timeout)
        except ConnectionError:
            return b""

    def close(self):
        if not self.writer.is_closing():
            self.writer.transport.abort()


async def ask(port, request, timeout=20, connect=Connection.open):
    """One request on a connection of its own; the time counts from the connect on."""
    start = time.monotonic()
    connection = await connect(port)
    try:
        answer = await connection.ask(request, timeout)
    finally:
        connection.close()
    answer.took = time.monotonic() - start
    return answer


class Kept:
    """A client that keeps its connection and opens another one only where it was told to, as clients do."""

    def __init__(self, port):
        self.port, self.connection = port, None

    async def ask(self, request, timeout=20):
        if self.connection is None:
            self.connection = await Connection.open(self.port)
        try:
            answer = await self.connection.ask(request, timeout)
        except BaseException:
            self.close()
            raise
        if answer.closes:
            self.close()
        return answer

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None


async def at_once(count, job, width=50):
    """`job(number)` for each number, so many at a time; all results."""
    gate = asyncio.Semaphore(width)

    async def one(number):
        async with gate:
            return await job(number)

    return await asyncio.gather(*(one(number) for number in range(count)))


class GoodClient:
    """Asks for a webhook's answer again and again while something else goes on; keeps how long each took."""

    def __init__(self, port, pause=0.05, connect=Connection.open):
        self.port, self.pause, self.connect, self.took, self.bad = port, pause, connect, [], []

    async def _run(self):
        number = 900_000
        while True:
            number += 1
            try:
                answer = await ask(self.port, webhook(number, keep=False), connect=self.connect)
                self.took.append(answer.took)
                if not answer.is_twiml:
                    self.bad.append(repr(answer))
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.bad.append(repr(error))
            await asyncio.sleep(self.pause)

    async def __aenter__(self):
        self.task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()

    @property
    def worst(self):
        assert self.took, f"no good request was answered: {self.bad[:3]}"
        return max(self.took)

    def check(self, most):
        assert not self.bad, f"{len(self.bad)} good requests failed: {self.bad[:3]}"
        assert self.worst < most, f"a good request took {self.worst:.2f} s"


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"


def mb(count):
    return f"{count / MB:.1f} MB"


# WebSocket -----------------------------------------------------------------------------------------------


def accepted(request):
    """The backend's answer to a handshake."""
    digest = hashlib.sha1(request.headers["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + base64.b64encode(digest) + b"\r\n\r\n")


def frame(payload, opcode=1, mask=False):
    length = len(payload)
    size = bytes([length | mask << 7]) if length < 126 else bytes([126 | mask << 7]) + struct.pack(">H", length)
    key = random.randbytes(4) if mask else b""
    return bytes([0x80 | opcode]) + size + key + (masked(payload, key) if mask else payload)


def masked(payload, key):
    stream = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")


class Frames:
    """Frames of up to 64 KiB out of bytes."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= 2:
            length, at = self.buffer[1] & 0x7F, 2
            if length == 126:
                if len(self.buffer) < 4:
                    return
                length, at = struct.unpack_from(">H", self.buffer, 2)[0], 4
            is_masked = self.buffer[1] >> 7
            end = at + 4 * is_masked + length
            if len(self.buffer) < end:
                return
            payload = bytes(self.buffer[end - length:end])
            opcode = self.buffer[0] & 0x0F
            if is_masked:
                payload = masked(payload, bytes(self.buffer[at:at + 4]))
            del self.buffer[:end]
            yield opcode, payload


def echo(request):
    """A handler: takes the handshake and sends each frame back."""
    frames, lane = Frames(), request.lane

    def taker(data):
        for opcode, payload in frames.feed(data):
            lane.transport.write(frame(payload, opcode))
            if opcode == 8:
                lane.transport.close()

    lane.take(taker)
    return accepted(request)


class WebSocket:
    """The caller's side of a stream."""

    @classmethod
    async def open(cls, port, path="/ws"):
        self = cls()
        self.frames, self.waiting = Frames(), []
        self.connection = await Connection.open(port)
        key = base64.b64encode(random.randbytes(16)).decode()
        answer = await self.connection.ask(
            f"GET {path} HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n\r\n".encode())
        assert answer.status == 101, answer
        return self

    def send(self, payload, opcode=1):
        self.connection.writer.write(frame(payload, opcode, mask=True))

    async def receive(self, timeout=10):
        """(opcode, payload); None when the connection ended."""
        while not self.waiting:
            try:
                data = await asyncio.wait_for(self.connection.reader.read(1 << 16), timeout)
            except ConnectionError:
                return None
            if not data:
                return None
            self.waiting += self.frames.feed(data)
        return self.waiting.pop(0)

    def close(self):
        self.connection.close()


# Numbers are fixed where chance is needed, so that a failure can be seen again.
SEED = int(os.environ.get("PROCESS_SEED", "7"))
TERM, HUP, KILL = signal.SIGTERM, signal.SIGHUP, signal.SIGKILL
