"""What the guard recorded before the Flask app, read with its commands: in a pipe and at a terminal."""

import json
import os
import pty
import re
import select
import subprocess
import time
from collections import Counter

import pytest

import guard as guards
from faults import FAULTS
from twilio_side import CALL, call

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Store:
    """A state directory, looked into with `twiml-guard incidents`."""

    def __init__(self, folder):
        self.folder = str(folder)

    def command(self, *arguments):
        return [str(guards.BINARY), "incidents", *arguments, "--state-dir", self.folder]

    def ask(self, *arguments, code=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
        assert done.returncode == code, done.stderr
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.ask(*arguments, "--json"))

    def at_a_terminal(self, *arguments, types=None):
        """What a person sees, who types an answer when asked; and the exit code."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(guards.BINARY, self.command(*arguments), {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"})
        seen, deadline = b"", time.monotonic() + 30
        while time.monotonic() < deadline:
            ready, _, _ = select.select([terminal], [], [], 0.2)
            if not ready:
                continue
            try:
                chunk = os.read(terminal, 65536)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
            if types and b"[y/N]" in seen:
                os.write(terminal, types.encode() + b"\n")
                types = None
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        return seen.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


@pytest.fixture(scope="module")
def recorded(binary, flask, tmp_path_factory):
    """Every voice fault of the table once, with one caller each, then the guard is stopped."""
    folder = tmp_path_factory.mktemp("state")
    told = []
    with guards.Guard(f"http://127.0.0.1:{flask}", "--state-dir", str(folder)) as running:
        for number, fault in enumerate(fault for fault in FAULTS if fault.parameters == "call"):
            reply = call(running.port, fault.path, CALL | {"CallSid": f"CA{number:032x}", "From": f"+1555010{number:04}"})
            told += reply.all("twiml-guard-incident")
        assert running.terminate() == 0
    return Store(folder), told


def test_every_incident_that_twilio_was_told_of_is_on_record_and_counted_once(recorded):
    store, told = recorded
    incidents = store.json("--each", "--limit", "1000")["incidents"]
    assert told and set(told) <= {incident["id"] for incident in incidents}
    counts = Counter((incident["route"], incident["cause"]) for incident in incidents)
    outbreaks = store.json()["outbreaks"]
    assert {(outbreak["route"], outbreak["cause"]): outbreak["count"] for outbreak in outbreaks} == counts


def test_every_incident_has_a_page_that_fits(recorded):
    store, _ = recorded
    incidents = store.json("--each", "--limit", "1000")["incidents"]
    for incident in incidents:
        page = store.ask("show", incident["id"])
        assert incident["remedy"][:40] in page
        assert all(len(line) <= 100 for line in page.splitlines()), page
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f\u2028\u2029\u202a-\u202e]", page), page


def test_a_terminal_gets_colours_and_a_pipe_none(recorded):
    store, _ = recorded
    id = store.json("--each", "--cause", "bare-ampersand", "--limit", "1")["incidents"][0]["id"]
    screen, code = store.at_a_terminal("show", id)
    assert code == 0 and ESCAPE.search(screen)
    plain = store.ask("show", id)
    assert not ESCAPE.search(plain)
    # What was recorded how long ago differs.
    assert ESCAPE.sub("", screen).splitlines()[0] == plain.splitlines()[0]


def test_head_is_satisfied(recorded):
    store, _ = recorded
    shell = " ".join(store.command("--each")) + " | head -1; echo ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=30)
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "0"


def test_forgetting_asks_first(recorded):
    store, _ = recorded
    number = "+15550100000"
    before = store.json("--each", "--limit", "1000")["incidents"]
    screen, code = store.at_a_terminal("forget", "--number", number, types="n")
    assert code == 0 and "Nothing was deleted." in screen
    assert store.json("--each", "--limit", "1000")["incidents"] == before
    screen, code = store.at_a_terminal("forget", "--number", number, types="y")
    assert code == 0 and "1 incident deleted." in screen, screen
    after = store.json("--each", "--limit", "1000")["incidents"]
    assert len(after) == len(before) - 1
    assert store.json("--number", number) == {"outbreaks": [], "incidents": [], "next": None}
