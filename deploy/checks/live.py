"""Checks that start the real programs on loopback: the example app, nginx, Caddy."""

import json
import os
import re
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from xml.etree import ElementTree

from kit import DEPLOY, VOICE_FORM, ask, expect, python_tools, run, running, tool

APP = DEPLOY / "docker-compose/app"


@contextmanager
def example_app():
    """The app as its image starts it, on a free port; gives the port."""
    command = json.loads(re.search(r"^CMD (\[.+\])$", (APP / "Dockerfile").read_text(), re.M)[1])
    command = [part.replace("0.0.0.0:5000", "127.0.0.1:0") for part in command]
    expect("--listen=127.0.0.1:0" in command, f"no address to replace in {command}")
    command[0] = python_tools() / command[0]
    env = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    with running(command, cwd=APP, env=env) as app:
        yield int(app.wait_for(r"Serving on http://127\.0\.0\.1:(\d+)")[1])


def is_twiml(body):
    """Decided by Python's expat, which is as strict as Twilio's parser on what is well-formed."""
    try:
        return ElementTree.fromstring(body).tag == "Response"
    except ElementTree.ParseError:
        return False


def example_app_behaves_as_described():
    """One healthy route, two that Twilio would refuse: each really asked."""
    with example_app() as port:
        status, headers, body = ask(port, "/webhook/incoming_call", VOICE_FORM)
        expect((status, headers.get_content_type()) == (200, "text/xml") and is_twiml(body), f"healthy route: {status} {body!r}")
        status, _, body = ask(port, "/webhook/stream_ended", VOICE_FORM)
        expect((status, body) == (204, b""), f"empty route: {status} {body!r}")
        status, headers, body = ask(port, "/voice", VOICE_FORM)
        expect((status, headers.get_content_type()) == (200, "text/html"), f"hand-made route: {status} {headers}")
        expect(b"<Response>" in body and not is_twiml(body), f"hand-made route is not broken: {body!r}")


@contextmanager
def echo(name):
    """A server that says its name and what it was asked; gives the port. Its end is like
    that of a process: connections that were kept alive end too."""
    connections = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            connections.append(self.connection)

        def do_POST(self):
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            heard = {key: self.headers[key] for key in ("Host", "X-Forwarded-Proto", "X-Forwarded-Host")}
            body = json.dumps({"name": name, "path": self.path, "form": form, **heard}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)


def free_port():
    """For programs that cannot pick one themselves; taken and given back at once."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def edge_prefers_the_guard(start, may_lose=0):
    """Guard first, untouched request; the app when the guard is gone, after at most so many lost."""
    path = "/webhook//incoming_call?a=%2Fb%20c"
    with ExitStack() as stack:
        guard = stack.enter_context(ExitStack())
        guard_port = guard.enter_context(echo("guard"))
        app_port = stack.enter_context(echo("app"))
        port, scheme, text = start(stack, guard_port, app_port)

        def post():
            status, _, body = ask(port, path, VOICE_FORM, {"Host": "pbx.example.com"})
            expect(status == 200, f"{status} {body!r}\n{text()}")
            return json.loads(body)

        for _ in range(4):
            heard = post()
            expect(heard["name"] == "guard", f"the guard is up, but {heard['name']} was asked")
        expect(heard["path"] == path, f"the URL was sent as {path} and arrived as {heard['path']}: signatures would fail")
        expect(heard["form"] == VOICE_FORM, "the form was changed")
        expect((heard["Host"], heard["X-Forwarded-Host"]) == ("pbx.example.com",) * 2, f"host names: {heard}")
        expect(heard["X-Forwarded-Proto"] == scheme, f"X-Forwarded-Proto {heard['X-Forwarded-Proto']}, expected {scheme}")
        guard.close()
        for _ in range(may_lose):
            ask(port, path, VOICE_FORM, {"Host": "pbx.example.com"})
        for _ in range(3):
            expect(post()["name"] == "app", "the guard is down, and the app was not asked")


def replaced(text, changes):
    """The text with each part exchanged; every part must be there."""
    for old, new in changes.items():
        expect(old in text, f"{old!r} is no longer in the file")
        text = text.replace(old, new)
    return text


def nginx_prefers_the_guard_and_falls_back_to_the_app():
    nginx = tool("nginx", "nginx")

    def start(stack, guard_port, app_port):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        site = replaced((DEPLOY / "nginx/twiml-guard.conf").read_text(), {
            "127.0.0.1:8080": f"127.0.0.1:{guard_port}",
            "127.0.0.1:5000": f"127.0.0.1:{app_port}",
            # A second, plain listener to ask without TLS; the certificate is read all the same.
            "listen 443 ssl;": f"listen 127.0.0.1:{port}; listen 127.0.0.1:{free_port()} ssl;",
            "/etc/ssl/pbx.example.com": str(folder),
        })
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=pbx.example.com", "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"])
        (folder / "site.conf").write_text(site)
        temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
            f"events {{}}\nhttp {{ access_log off; {temporary}\ninclude {folder}/site.conf; }}\n")
        command = [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]
        run([*command, "-t"])
        process = stack.enter_context(running(command))
        wait_until_open(port, process)
        return port, "http", process.output

    edge_prefers_the_guard(start)


def caddy_prefers_the_guard_and_falls_back_to_the_app():
    caddy = tool("caddy", "caddy")

    def start(stack, guard_port, app_port):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env = dict(os.environ, HOME=str(folder), XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder))
        own = DEPLOY / "caddy/Caddyfile"
        run([caddy, "validate", "--adapter", "caddyfile", "--config", own], env=env)
        port = free_port()
        text = replaced(own.read_text(), {
            "127.0.0.1:8080": f"127.0.0.1:{guard_port}",
            "127.0.0.1:5000": f"127.0.0.1:{app_port}",
            "\npbx.example.com {": f"\nhttp://pbx.example.com:{port} {{\n\tbind 127.0.0.1",
        })
        (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
        process = stack.enter_context(running(
            [caddy, "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"], env=env))
        wait_until_open(port, process)
        return port, "http", process.output

    # Nothing is tried again: older Caddys would take the app for dead too.
    edge_prefers_the_guard(start, may_lose=1)


def wait_until_open(port, process):
    """Until the port takes connections; the process must live."""
    for _ in range(300):
        with socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        expect(process.child.poll() is None, f"{process.name} ended:\n{process.output()}")
        threading.Event().wait(0.05)
    expect(False, f"nothing listens on {port}:\n{process.output()}")


CHECKS = [
    example_app_behaves_as_described,
    nginx_prefers_the_guard_and_falls_back_to_the_app,
    caddy_prefers_the_guard_and_falls_back_to_the_app,
]
