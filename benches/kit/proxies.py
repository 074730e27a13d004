"""The backend and the proxies under test as processes, each in a folder of its own, on loopback."""

import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from .setup import BENCHES, MODULES, Failed, first_line, program

FALLBACK = "<Response><Say>We are sorry. Please call again.</Say></Response>"
PROXY_CORE, OTHER_CORE = 0, 1
_LIBC = ctypes.CDLL(None)
_STARTED = []


def on(cores):
    """For a child before it runs: its cores, enough descriptors, and no life without its parent."""
    def prepare():
        _LIBC.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if cores:
            os.sched_setaffinity(0, cores)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        limit = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return prepare


def start(command, cores, **more):
    process = subprocess.Popen([str(word) for word in command], preexec_fn=on(cores), **more)
    _STARTED.append(process)
    return process


def stop(process):
    """Ends it, and its children that a killed parent would leave behind."""
    children = descendants(process.pid)[1:]
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pid in children:
        try:
            if parent_of(pid) in (1, process.pid):
                os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError, IndexError):
            pass
    if process in _STARTED:
        _STARTED.remove(process)


def stop_all():
    for process in list(_STARTED):
        stop(process)


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def descendants(pid):
    """The process and all below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents.setdefault(parent_of(entry), []).append(int(entry))
            except (OSError, ValueError, IndexError):
                continue
    found = [pid]
    for one in found:
        found.extend(parents.get(one, []))
    return found


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Backend:
    def __init__(self, tool, cores):
        self.process = start([tool, "backend"], cores, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.strip().isdigit():
            raise Failed("the backend does not start")
        self.port = int(line)
        self.pid = self.process.pid

    def counts(self):
        """Connections that it took so far, this one too, and requests that it answered."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as stream:
            stream.sendall(b"GET /counts HTTP/1.1\r\nConnection: close\r\n\r\n")
            data = b""
            while part := stream.recv(4096):
                data += part
        accepted, answered = data.rpartition(b"\r\n\r\n")[2].split()
        return int(accepted), int(answered)

    def close(self):
        stop(self.process)


class Proxy:
    """One proxy before the backend. `kind` decides what is expected of its answers."""

    kind = ""

    def __init__(self, name, backend, workers, cores, binary=None):
        self.name, self.backend, self.workers, self.binary = name, backend, workers, binary
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.log = self.folder / "output"
        self.process = None
        try:
            for attempt in range(5):
                self.port = free_port()
                command = self.command()
                # Appended to, so that it can be cut between turns.
                with self.log.open("ab") as output:
                    self.began = time.monotonic()
                    self.process = start(command, cores, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                         cwd=self.folder, env=self.environment())
                if self.listens():
                    break
                stop(self.process)
            else:
                raise Failed(f"{name} does not start:\n{self.tail()}")
        except BaseException:
            self.close()
            raise

    def listens(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.0002)
        return False

    def environment(self):
        return {key: value for key, value in os.environ.items() if not key.startswith(("TWIML_GUARD_", "TWILIO_", "OTEL_"))}

    def pids(self):
        return descendants(self.process.pid)

    def tail(self):
        texts = [path.read_text(errors="replace")[-1500:] for path in (self.log, self.folder / "error.log") if path.exists()]
        return "\n".join(texts)

    def settle(self):
        """Waits until it rests: what is still written of an earlier turn's storm is not the next turn's cost."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            # The clock of a process, as clock_getcpuclockid gives it; all threads, those that ended too.
            clocks = [(~pid << 3) | 2 for pid in self.pids()]
            before = sum(map(time.clock_gettime_ns, clocks))
            time.sleep(0.15)
            if sum(map(time.clock_gettime_ns, clocks)) - before < 1_500_000:
                return
        raise Failed(f"{self.name} does not come to rest")

    def cut_logs(self):
        """Logs stay on; what they hold is not needed."""
        for name in ("output", "access.log", "error.log"):
            path = self.folder / name
            if path.exists():
                os.truncate(path, 0)

    def filled(self, name):
        text = (BENCHES / "peers" / name).read_text()
        values = {"PORT": self.port, "BACKEND": self.backend.port, "FOLDER": self.folder, "WORKERS": self.workers,
                  "REUSEPORT": "reuseport" if self.workers > 1 else "", "FALLBACK": FALLBACK, "MODULES": MODULES,
                  "USER": "user root;" if os.geteuid() == 0 else ""}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = self.folder / name
        path.write_text(text)
        return path

    def close(self):
        if self.process is not None:
            stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Guard(Proxy):
    kind = "guard"

    def command(self):
        self.ops = free_port()
        return [self.binary, "serve", "--config", self.filled("guard.toml"), "--listen", f"127.0.0.1:{self.port}",
                "--upstream", f"http://127.0.0.1:{self.backend.port}", "--ops", f"127.0.0.1:{self.ops}",
                "--state-dir", self.folder / "state"]

    def environment(self):
        return super().environment() | {"TWIML_GUARD_WORKERS": str(self.workers)}


    def recording(self):
        """How its record took the load; a guard that lost its store, or worse, was not measured with everything on."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        values = {}
        for line in lines:
            if not line.startswith("#"):
                name = line.split("{", 1)[0].split(" ", 1)[0]
                values[name] = values.get(name, 0) + float(line.rsplit(" ", 1)[1])
        if values["twiml_guard_store_up"] != 1 or values["twiml_guard_panics_total"] != 0:
            raise Failed(f"{self.name} lost its store or panicked:\n{self.tail()}")
        found = re.findall(r'^twiml_guard_answers_total\{[^}]*outcome="(\w+)"[^}]*\} (\d+)', "\n".join(lines), re.MULTILINE)
        outcomes = {}
        for outcome, count in found:
            outcomes[outcome] = outcomes.get(outcome, 0) + int(count)
        return outcomes | {"dropped": values["twiml_guard_incidents_dropped_total"], "not_stored": values["twiml_guard_incidents_not_stored_total"]}


class Nginx(Proxy):
    kind = "nginx"
    config = "nginx.conf"

    def command(self):
        return [program("nginx"), "-e", self.folder / "error.log", "-p", self.folder, "-c", self.filled(self.config)]

    @staticmethod
    def version():
        return first_line(program("nginx"), "-v").removeprefix("nginx version: ")


class NginxLua(Nginx):
    kind = "nginx-lua"
    config = "nginx-lua.conf"


class HAProxy(Proxy):
    kind = "haproxy"

    def command(self):
        for code, text in ((408, "Request Timeout"), (502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout")):
            (self.folder / f"{code}.http").write_bytes(
                f"HTTP/1.1 {code} {text}\r\nContent-Type: text/xml\r\nContent-Length: {len(FALLBACK)}\r\nConnection: close\r\n\r\n{FALLBACK}".encode())
        return [program("haproxy"), "-db", "-f", self.filled("haproxy.cfg")]

    @staticmethod
    def version():
        return " ".join(first_line(program("haproxy"), "-v").replace("version ", "").split()[:2])


KINDS = {kind.kind: kind for kind in (Nginx, NginxLua, HAProxy)}
