"""What the checks stand on: pinned tools, processes that always end, HTTP as it is sent."""

import hashlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
from contextlib import contextmanager
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent
TOP = DEPLOY.parent
TARGET = TOP / "target"
VENV = TARGET / "deploy-venv"
TOOLS = TARGET / "deploy-tools"


class Failed(Exception):
    """The thing under check is not as it must be."""


class Skipped(Exception):
    """This machine cannot run the check; the text says what it lacks."""


def expect(condition, message):
    if not condition:
        raise Failed(message)


def run(command, *, ok=(0,), timeout=120, **more):
    """Runs to the end; fails with the output unless the exit code is one of `ok`."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **more)
    if done.returncode not in ok:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}, expected {ok}\n{done.stdout}{done.stderr}")
    return done


def python_tools():
    """The folder of the pinned tools from PyPI; installed when the pins have changed."""
    pins = [DEPLOY / "checks/requirements.txt", DEPLOY / "docker-compose/app/requirements.txt"]
    want = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins) + sys.version.encode()).hexdigest()
    stamp = VENV / "installed"
    if not (stamp.exists() and stamp.read_text() == want):
        venv.create(VENV, with_pip=True, clear=True)
        run([VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--requirement", pins[0]], timeout=600)
        stamp.write_text(want)
    return VENV / "bin"


def tool(name, package):
    """Path of a program: the machine's own, else unpacked from its Debian package into
    `target`, so that nothing is installed and no service is started."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found:
        return Path(found)
    for folder in ("usr/bin", "usr/sbin"):
        if (TOOLS / folder / name).exists():
            return TOOLS / folder / name
    if not shutil.which("apt-get"):
        raise Skipped(f"{name} is not installed (Debian package {package})")
    TOOLS.mkdir(parents=True, exist_ok=True)
    for attempt in ("download", "update", "download"):
        command = ["apt-get", "--quiet", attempt] + ([package] if attempt == "download" else [])
        done = subprocess.run(command, cwd=TOOLS, capture_output=True, text=True, check=False)
        if attempt == "download" and done.returncode == 0:
            break
    archives = sorted(TOOLS.glob(f"{package}_*.deb"))
    if not archives:
        raise Skipped(f"{name} is not installed, and apt-get download {package}: {done.stderr.strip()}")
    run(["dpkg-deb", "--extract", archives[-1], TOOLS])
    archives[-1].unlink()
    return tool(name, package)


class Process:
    """A running program whose output is kept and can be waited for."""

    def __init__(self, command, **more):
        self.name = Path(command[0]).name
        self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.append(line)

    def output(self):
        return "".join(self.lines)

    def wait_for(self, pattern, seconds=15):
        """The first match of the pattern in what the program has printed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = self.child.poll() is not None
            if ended:
                self.reader.join(5)
            match = re.search(pattern, self.output())
            if match:
                return match
            expect(not ended, f"{self.name} ended with {self.child.returncode} before printing {pattern!r}:\n{self.output()}")
            time.sleep(0.05)
        raise Failed(f"{self.name} did not print {pattern!r} in {seconds} s:\n{self.output()}")

    def stop(self, seconds=20):
        """Asks it to end, as an init system would; gives the exit code."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise Failed(f"{self.name} did not end within {seconds} s of SIGTERM:\n{self.output()}") from None
        self.reader.join(5)
        return self.child.returncode


@contextmanager
def running(command, **more):
    process = Process(command, **more)
    try:
        yield process
    finally:
        if process.child.poll() is None:
            process.child.kill()
            process.child.wait()


def ask(port, path, form=None, headers=None, timeout=20):
    """One request, a POST when there is a form; gives status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        send = dict(headers or {})
        if form is not None:
            send.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection.request("GET" if form is None else "POST", path, form, send)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


VOICE_FORM = ("CallSid=CA00000000000000000000000000000001&AccountSid=AC00000000000000000000000000000001"
              "&CallStatus=in-progress&From=%2B15555550100&To=%2B15555550101&Direction=inbound&ApiVersion=2010-04-01")
