"""The backend that gives spoilt answers, the proxies before it, and Twilio's side of the wire."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("TWIML_GUARD_BIN") or ROOT / "target" / "debug" / "twiml-guard")
SLOTS = ("voice", "action", "whisper", "wait", "conference-wait", "messaging")
FALLBACK = "<Response><Say>We are sorry. Please call again.</Say></Response>"
CALL = ("CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&CallStatus=in-progress"
        "&From=%2B15550100001&To=%2B15550100002&Direction=inbound&ApiVersion=2010-04-01")
MESSAGE = ("MessageSid=SM0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef&SmsStatus=received"
           "&From=%2B15550100001&To=%2B15550100002&Body=Hello&NumMedia=0")
AT_ONCE = 12


class Backend:
    """Gives `answers[path]`, the raw bytes of an answer, and closes the connection."""

    def __init__(self, answers):
        self.answers = answers
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256))
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if length:
                await reader.readexactly(int(length[1]))
            writer.write(self.answers.get(head.split(b" ", 2)[1].decode(), b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


async def _ask(port, path):
    form = (MESSAGE if path.startswith("/messaging/") else CALL).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"POST {path} HTTP/1.1\r\nHost: pbx.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                     f"User-Agent: TwilioProxy/1.1\r\nContent-Length: {len(form)}\r\nConnection: close\r\n\r\n".encode() + form)
        raw = await reader.read()
    except ConnectionError:
        raw = b""
    finally:
        writer.close()
    return reply(raw)


def reply(raw):
    """(status, [(name, value)], body, whether it is complete); status 0 for what is no answer."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    found = re.match(r"HTTP/1\.[01] (\d{3})", lines[0])
    if not (blank and found):
        return 0, [], raw, False
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    named = dict(headers)
    complete = True
    if named.get("transfer-encoding") == "chunked":
        whole, complete = b"", False
        while True:
            size, end, body = body.partition(b"\r\n")
            if not end:
                break
            count = int(size.split(b";")[0], 16)
            if count == 0:
                complete = True
                break
            whole, body = whole + body[:count], body[count + 2:]
        body = whole
    elif "content-length" in named and int(found[1]) != 204:
        complete = len(body) == int(named["content-length"])
    return int(found[1]), headers, body, complete


def ask_all(port, paths, seconds=30):
    """The replies to a webhook at each path, in the order of the paths."""

    async def run():
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(path):
            async with gate:
                try:
                    return await asyncio.wait_for(_ask(port, path), seconds)
                except (OSError, TimeoutError):
                    return 0, [], b"", False

        return await asyncio.gather(*(one(path) for path in paths))

    return asyncio.run(run())


class Process:
    """A proxy as a process of ours, with a folder of its own."""

    def start(self, command, ready, **options):
        self.process = subprocess.Popen(command, cwd=self.folder.name, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(Path(self.folder.name, "errors"), "wb"), **options)
        for _ in range(200):
            self.port = ready()
            if self.port:
                return
            if self.process.poll() is not None:
                break
            threading.Event().wait(0.05)
        said = self.errors()[-2000:]
        self.close()
        raise RuntimeError(f"{command[0]} did not come up: {said}")

    def errors(self):
        return Path(self.folder.name, "errors").read_text(errors="replace")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Guard(Process):
    def __init__(self, upstream):
        self.folder = tempfile.TemporaryDirectory(prefix="recovery-")
        config = Path(self.folder.name, "config.toml")
        config.write_text("".join(f'[[route]]\npath = "/{slot}/*"\nslot = "{slot}"\n\n' for slot in SLOTS))
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TWIML_GUARD_")}

        def ready():
            found = re.search(r'"server\.address":"127\.0\.0\.1:(\d+)"', self.errors())
            return int(found[1]) if found else None

        self.start([str(BINARY), "serve", "--listen", "127.0.0.1:0", "--ops", "off", "--upstream", f"http://127.0.0.1:{upstream}",
                    "--public-url", "https://pbx.example.com", "--log-format", "json", "--config", str(config),
                    "--state-dir", str(Path(self.folder.name) / "state")], ready, env=clean)

    @staticmethod
    def version():
        return subprocess.run([str(BINARY), "--version"], capture_output=True, text=True, check=True).stdout.strip()


class Peer(Process):
    """A proxy that can't be given port 0: it gets one that was free a moment ago, and is tried again if it no longer is."""

    def __init__(self, upstream):
        for attempt in range(5):
            self.folder = tempfile.TemporaryDirectory(prefix="recovery-")
            Path(self.folder.name).chmod(0o755)
            port = free_port()
            config = Path(self.folder.name, "config")
            config.write_text(self.config(port, upstream))
            try:
                self.start(self.command(config), lambda port=port: port if answers(port) else None)
                return
            except RuntimeError:
                if attempt == 4:
                    raise


def free_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port):
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class HAProxy(Peer):
    """The full-body rules: the whole answer is waited for, what lacks `<Response` or does not begin with `<` is replaced."""

    NAME = "haproxy"

    def config(self, port, upstream):
        fallback = f"content-type \"text/xml\" string '{FALLBACK}'"
        for code, text in ((408, "Request Timeout"), (502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout")):
            Path(self.folder.name, f"{code}.http").write_bytes(
                f"HTTP/1.1 {code} {text}\r\nContent-Type: text/xml\r\nContent-Length: {len(FALLBACK)}\r\nConnection: close\r\n\r\n{FALLBACK}".encode())
        errors = "\n".join(f"    errorfile {code} {self.folder.name}/{code}.http" for code in (408, 502, 503, 504))
        return f"""global
    tune.bufsize 131072
    maxconn 200
defaults
    mode http
    timeout connect 3s
    timeout client 10s
    timeout server 3s
{errors}
frontend twilio
    bind 127.0.0.1:{port}
    http-after-response set-status 200
    default_backend app
backend app
    http-response wait-for-body time 3s
    http-response set-var(txn.l) res.body_len
    acl short    res.body_size,sub(txn.l) gt 0
    acl is_media res.hdr(Content-Type) -i -m beg audio/ text/plain
    acl has_resp res.body -m sub "<Response"
    acl lead_ok  res.body -m reg "^<"
    http-response return status 200 {fallback} if short
    http-response return status 200 {fallback} if !{{ status 200 }}
    http-response return status 200 {fallback} if !is_media !has_resp
    http-response return status 200 {fallback} if !is_media !lead_ok
    http-response set-header Content-Type text/xml if !is_media
    server app 127.0.0.1:{upstream}
"""

    def command(self, config):
        return [program("haproxy"), "-db", "-q", "-f", str(config)]

    @staticmethod
    def version():
        return subprocess.run([program("haproxy"), "-v"], capture_output=True, text=True, check=True).stdout.split("\n")[0].split(" - ")[0]


class Nginx(Peer):
    """The usual lines: errors intercepted, the type set, compression undone, a byte order mark and blank lines removed."""

    NAME = "nginx"

    def config(self, port, upstream):
        folder = self.folder.name
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/log;
events {{ worker_connections 256; }}
http {{
    access_log off;
{temporary}
    map $upstream_http_content_type $twiml_type {{ default text/xml; ~*^audio/ $upstream_http_content_type; ~*^text/plain $upstream_http_content_type; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Accept-Encoding "";
            proxy_read_timeout 3s;
            proxy_intercept_errors on;
            error_page 301 302 400 401 403 404 405 408 429 500 502 503 504 =200 @fallback;
            proxy_hide_header Content-Type;
            add_header Content-Type $twiml_type always;
            gunzip on;
            sub_filter_types *;
            sub_filter "\ufeff" "";
            sub_filter "\n<?xml" "<?xml";
        }}
        location @fallback {{
            default_type text/xml;
            return 200 "{FALLBACK}";
        }}
    }}
}}
"""

    def command(self, config):
        return [program("nginx"), "-e", str(Path(self.folder.name, "log")), "-p", self.folder.name, "-c", str(config)]

    @staticmethod
    def version():
        return subprocess.run([program("nginx"), "-v"], capture_output=True, text=True, check=True).stderr.strip().removeprefix("nginx version: ")


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        raise RuntimeError(f"{name} is not installed (Debian: apt-get install {name})")
    return path


def installed(peer):
    """Whether the peer is there; installs it where this runs as root on Debian."""
    try:
        program(peer.NAME)
        return True
    except RuntimeError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            return False
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", peer.NAME]):
        subprocess.run(command, env=quiet, stdout=sys.stderr, check=False, timeout=300)
    return shutil.which(peer.NAME, path=os.environ.get("PATH", "") + ":/usr/sbin") is not None
