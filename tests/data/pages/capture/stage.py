"""Starts programs in a scratch folder, asks them for pages, tidies and keeps the answers."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from . import wire

FORM = (
    b"CallSid=CA0123456789abcdef0123456789abcdef&AccountSid=AC0123456789abcdef0123456789abcdef"
    b"&From=%2B15550100001&To=%2B15550100002&CallStatus=ringing&Direction=inbound&ApiVersion=2010-04-01"
)
DROPPED = {b"date", b"connection", b"keep-alive"}


class Missing(Exception):
    """A program that the rig needs is not installed."""


class Stage:
    def __init__(self, out):
        self.out = Path(out)
        self.scratch = Path(tempfile.mkdtemp(prefix="pages-"))
        os.chmod(self.scratch, 0o755)
        self.processes = []
        self.sockets = []
        self.pages = []
        self.hidden = []
        self.ports = set()

    # -- running programs ------------------------------------------------------------------

    def need(self, command):
        found = shutil.which(command, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if not found:
            raise Missing(command)
        return found

    def version(self, *command, pattern=r"(\d+\.\d+(?:\.\d+)*)"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(pattern, done.stdout + done.stderr)
        if not found:
            raise Missing(" ".join(command))
        return found.group(1)

    def port(self):
        port = wire.free_port()
        self.ports.add(port)
        return port

    def dead_port(self):
        """A port that is taken but refuses connections, so that nobody else can come to listen on it."""
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        self.sockets.append(held)
        self.ports.add(held.getsockname()[1])
        return held.getsockname()[1]

    def folder(self, name):
        path = self.scratch / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name, text, mode=0o644):
        path = self.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def start(self, command, port, env=None, cwd=None):
        """Runs with a bare environment, so that debug pages have nothing of this machine to print."""
        bare = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": str(self.scratch)}
        log = open(self.scratch / f"log-{len(self.processes)}", "wb")
        process = subprocess.Popen(
            [str(part) for part in command],
            env=bare | (env or {}),
            cwd=cwd or self.scratch,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.processes.append(process)
        try:
            wire.wait_for(port, process)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{Path(log.name).read_text(errors='replace')[-2000:]}") from None
        return port

    def clear(self):
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        for held in self.sockets:
            held.close()
        self.processes, self.sockets, self.hidden, self.ports = [], [], [], set()
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(mode=0o755)

    def close(self):
        self.clear()
        shutil.rmtree(self.scratch, ignore_errors=True)

    # -- taking pages ----------------------------------------------------------------------

    def hide(self, text, instead):
        """What must not be in a fixture (a path, a token), and what stands there instead."""
        self.hidden.append((text if isinstance(text, re.Pattern) else re.compile(re.escape(str(text))), instead))

    def take(self, name, origin, program, version, how, port, raw=None, method="POST", path="/voice",
             body=None, headers=(), kind="error"):
        if raw is None:
            sent = FORM if body is None and method == "POST" else (body or b"")
            raw = wire.request(method, path, sent, headers)
        answer = wire.parse(wire.exchange(port, raw))
        self.keep(answer, name, origin, program, version, how, kind)

    def keep(self, answer, name, origin, program, version, how, kind):
        answer.headers = [
            (key, self.tidy(value)) for key, value in answer.headers if key.lower() not in DROPPED
        ]
        before = len(answer.body)
        answer.body = self.tidy(answer.body)
        if len(answer.body) != before:
            answer.headers = [
                (key, b"%d" % len(answer.body) if key.lower() == b"content-length" else value)
                for key, value in answer.headers
            ]
        (self.out / f"{name}.http").write_bytes(answer.to_bytes())
        self.pages.append(
            {
                "name": name,
                "origin": origin,
                "kind": kind,
                "program": program,
                "version": version,
                "captured": True,
                "how": how,
                "framing": answer.framing,
            }
        )
        print(f"{name}: {answer.status_line.decode()} {len(answer.body)} bytes", file=sys.stderr)

    def tidy(self, data):
        text = data.decode("latin-1")
        for pattern, instead in self.hidden:
            text = pattern.sub(instead, text)
        text = text.replace(str(self.scratch), "/srv/app")
        for port in self.ports:
            text = re.sub(rf"(?<!\d){port}(?!\d)", "8080", text)
        text = re.sub(r"(?i)\b(mon|tue|wed|thu|fri|sat|sun),? \d\d? [a-z]{3} \d{4} \d\d:\d\d:\d\d( GMT)?", "Thu, 01 Jan 2026 00:00:00 GMT", text)
        return text.encode("latin-1")


def write_manifest(path, pages):
    ordered = sorted(pages, key=lambda page: page["name"])
    Path(path).write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
