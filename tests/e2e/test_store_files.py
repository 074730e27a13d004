"""Where the store lies, who may read it, who shares it; clocks that jump; numbers that are forgotten; lines that are forged."""

import json
import os
import re
import socket
import stat
import subprocess
import threading
import time
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest

import contract
from guard import BINARY, Guard
from raw_backend import length
from store_side import Client, Store, storm, wait
from twilio_side import CALL, call, exchange, webhook


def start(faulty, state, **more):
    return Guard(f"http://127.0.0.1:{faulty}", "--state-dir", str(state), **more)


def troubles(guard):
    return [event["message"] for event in guard.events if event.get("level") in ("WARN", "ERROR") and not event.get("cause") and "control socket" not in event["message"]]


def command(*arguments):
    return subprocess.run([str(BINARY), "incidents", *arguments], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, check=False)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# Files and folders ---------------------------------------------------------------------------------------


def test_nobody_else_may_read_what_is_kept(binary, faulty, tmp_path):
    """Whatever the umask says."""
    state = tmp_path / "deep" / "state"
    with start(faulty, state, process={"umask": 0}) as guard:
        call(guard.port, "/voice")
        store = Store(state)
        store.wait(1)
        files = {path.name: mode(path) for path in state.iterdir() if path.is_file()}
        assert {"incidents.db", "incidents.db-wal", "incidents.db-shm", "key"} <= set(files)
        assert set(files.values()) == {0o600}, files
        assert mode(state) == 0o700
        assert guard.terminate() == 0


def test_a_folder_that_was_open_to_others_is_closed(binary, faulty, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    with start(faulty, state) as guard:
        call(guard.port, "/voice")
        Store(state).wait(1)
        assert mode(state) == 0o700


@pytest.mark.parametrize(("flags", "env", "where"), [
    ((), {"STATE_DIRECTORY": "{0}/systemd:{0}/second", "XDG_STATE_HOME": "{0}/xdg", "HOME": "{0}/home"}, "systemd"),
    ((), {"XDG_STATE_HOME": "{0}/xdg", "HOME": "{0}/home"}, "xdg/twiml-guard"),
    ((), {"XDG_STATE_HOME": "", "HOME": "{0}/home"}, "home/.local/state/twiml-guard"),
    (("--state-dir", "{0}/named"), {"STATE_DIRECTORY": "{0}/systemd"}, "named"),
])
def test_the_state_directory_is_where_it_is_expected(binary, faulty, tmp_path, flags, env, where):
    filled = {name: value.format(tmp_path) for name, value in env.items()}
    with Guard(f"http://127.0.0.1:{faulty}", *(flag.format(tmp_path) for flag in flags), env=filled) as guard:
        call(guard.port, "/voice")
        Store(tmp_path / where).wait(1)
    assert [str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("incidents.db")] == [where]


def test_two_guards_share_a_folder_while_one_takes_over(binary, faulty, tmp_path):
    """As in a restart without a gap: nothing is lost, every incident counts once, nobody waits for a lock."""
    state = tmp_path / "state"
    store = Store(state)
    with start(faulty, state) as old:
        storm(old.port, 500)
        store.wait(500)
        with start(faulty, state) as new:
            clients = [Client(guard.port, first, 2_000) for guard, first in ((old, 1_000), (new, 4_000))]
            for client in clients:
                assert client.done() == (2_000, 0)
            assert old.terminate() == 0
            storm(new.port, 500)
            store.wait(5_000)
            assert troubles(old) == troubles(new) == []
            outbreak, = store.outbreaks()
            assert (outbreak["count"], outbreak["callers"], outbreak["closed_ms"]) == (5_000, 500, None)
            assert new.terminate() == 0
    assert store.one("SELECT sum(replaced) FROM traffic") == 5_000
    assert store.one("SELECT count(*) FROM outbreak_caller") == 500
    assert len(set(store.ids())) == 5_000
    assert store.is_sound()


# Clocks --------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(tmp_path):
    """A wall clock that is set by a file; steady clocks go on."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "libfaketime is missing; it comes with Debian's package faketime"
    file = tmp_path / "clock"
    file.write_text("+0")
    env = {"LD_PRELOAD": str(libraries[0]), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
           "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
    return file.write_text, env


def test_a_clock_that_jumps_loses_nothing(binary, faulty, tmp_path, clock):
    set_clock, env = clock
    state = tmp_path / "state"
    store = Store(state)
    asked = []

    def ask(guard, count=3):
        for _ in range(count):
            reply = call(guard.port, "/voice")
            contract.assert_outcome(reply, "replaced")
            assert reply.seconds < 2
            asked.append(reply.one("Twiml-Guard-Incident"))
        store.wait(len(asked), 5)

    with start(faulty, state, env=env) as guard:
        ask(guard)
        for offset in ("+365d", "-365d", "+0", "-7300d", "+3650d"):
            set_clock(offset)
            ask(guard)
            # Time for whoever closes outbreaks to look at the clock.
            time.sleep(1.2)
        outbreak, = store.outbreaks()
        assert (outbreak["count"], outbreak["closed_ms"], outbreak["reopened"]) == (len(asked), None, 0)
        span = (outbreak["last_ms"] - outbreak["since_ms"]) / 86_400_000
        assert 3_600 < span < 3_700, f"the clock did not jump: {span} days"
        assert guard.terminate() == 0
        assert troubles(guard) == []
    # A restart with a clock that is a year behind, and one that is far ahead.
    for offset in ("-365d", "+0"):
        set_clock(offset)
        with start(faulty, state, env=env) as guard:
            ask(guard)
            assert guard.terminate() == 0
            assert troubles(guard) == []
    # In the order in which they came, whatever their times say.
    assert store.ids() == asked and len(set(asked)) == len(asked)
    assert sum(row["count"] for row in store.outbreaks()) == len(asked)
    assert len(store.outbreaks()) == 1


# Forgetting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_forgotten_number_leaves_no_byte(binary, faulty, tmp_path, running):
    state = tmp_path / "state"
    store = Store(state)
    number, other = "+15550167823", "+15550161111"
    guard = start(faulty, state)
    with guard:
        forgotten = []
        for at in range(40):
            asked = CALL | {"From": number if at % 2 else other, "CallSid": f"CA{at:032x}", "Note": f"mark-{at:04d}-{'x' * 40}"}
            reply = call(guard.port, "/voice", asked)
            if at % 2:
                forgotten.append(reply.one("Twiml-Guard-Incident"))
        store.wait(40)
        hashed = store.one("SELECT caller FROM incident WHERE seq = 2").to_bytes(8, "big", signed=True)
        blobs = [row[0] for row in store.rows("SELECT json FROM record JOIN incident USING (seq) WHERE seq % 2 = 0")]
        assert blobs and hashed in files(state)
        if not running:
            assert guard.terminate() == 0
        done = command("forget", "--number", number, "--yes", "--json", "--state-dir", str(state))
        assert (done.returncode, json.loads(done.stdout)) == (0, {"forgotten": 20}), done.stderr
        left = files(state)
        assert hashed not in left
        assert [blob for blob in blobs if blob in left] == []
        for incident in forgotten:
            assert bytes.fromhex(incident.replace("-", "")) not in left
        assert store.incidents() == 20
        for whose, count in ((number, 0), (other, 20)):
            listed = command("--number", whose, "--all", "--json", "--state-dir", str(state)).stdout
            assert len(json.loads(listed)["incidents"]) == count
        if running:
            call(guard.port, "/voice", CALL | {"From": number})
            store.wait(21)
            assert guard.terminate() == 0
            assert troubles(guard) == []
    assert store.is_sound()


def files(state):
    return b"".join(path.read_bytes() for path in sorted(state.glob("incidents.db*")))


# Forged lines --------------------------------------------------------------------------------------------

LINE = '2026-01-01T00:00:00.000Z ERROR forged  level=ERROR'
TRICKS = {
    "line feed": "a\n" + LINE, "carriage return": "a\r" + LINE, "both": "a\r\n" + LINE, "line separator": "a\u2028" + LINE,
    "paragraph separator": "a\u2029" + LINE, "next line": "a\x85" + LINE, "vertical tab": "a\x0b" + LINE, "form feed": "a\x0c" + LINE,
    "erase": "a\x1b[2K\x1b[1A" + LINE, "title": "\x1b]0;forged\x07", "eight bit": "\x9b2J", "bidi": "\u202egnp.exe\u2066\u2069", "backspace": "a\x08\x08\x08",
    "nul": "a\0b", "end of JSON": '"}\n{"level":"ERROR","message":"forged"}', "zero width": "a\u200b\u2060\ufeff", "tag": "a\U000e0041",
}


def is_plain(text):
    """No character that ends a line, steers a terminal or turns the direction."""
    return not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]


class Forger:
    """A backend whose status line, headers and page carry the trick that the path names."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            with conn:
                data = conn.recv(65536)
                trick = TRICKS[list(TRICKS)[int(re.search(rb"/forge/(\d+)", data).group(1))]]
                inline = trick.replace("\n", "").replace("\r", "").replace("\0", "")
                conn.sendall(length(f"<h1>{trick}</h1>\n<pre>{trick}</pre>".encode(), f"text/html; x={inline}", f"X-Trick: {inline}", "Connection: close",
                                    status=f"500 {inline}"))

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def forger():
    forger = Forger()
    yield forger
    forger.close()


@pytest.mark.parametrize("log_format", ["json", "human"])
def test_nobody_forges_a_line(binary, forger, tmp_path, log_format):
    state = tmp_path / "state"
    config = '[incidents]\ncapture = "full"\n[[route]]\npath = "/forge/*"\nslot = "voice"\n'
    with start(forger.port, state, config=config, log_format=log_format) as guard:
        for at, trick in enumerate(TRICKS.values()):
            asked = CALL | {"From": trick, "CallSid": f"CA{trick}", "CallerName": trick, trick: "name", "Note": trick}
            # Control characters in a header are refused before anything is recorded.
            header = "".join(c for c in trick if c >= " ")
            data = webhook(f"/forge/{at}/{quote(trick)}?q={quote(trick)}&{quote(trick)}=1", asked, headers=[("X-Trick", header)])
            exchange(guard.port, data)
        store = Store(state)
        store.wait(len(TRICKS))
        assert guard.terminate() == 0
    log = "".join(guard.lines)
    assert len(TRICKS) == sum(1 for line in log.split("\n") if re.search(r'"message":"replaced"|Z WARN +replaced', line))
    for line in log.split("\n"):
        assert is_plain(line), repr(line)
        if log_format == "json":
            assert not line or json.loads(line)["message"] != "forged"
        else:
            assert not line.startswith("2026-01-01")
    # What is shown of the store is as plain, one incident at a time and in lists.
    ids = store.ids()
    for shown in [command("--all", "--state-dir", str(state)), command("stats", "--state-dir", str(state)),
                  *(command("show", incident, "--state-dir", str(state)) for incident in ids)]:
        assert shown.returncode == 0, shown.stderr
        for line in shown.stdout.split("\n"):
            assert is_plain(line), repr(line)
            assert not line.startswith(("2026-01-01", "{"))
    for incident in ids:
        document = json.loads(command("show", incident, "--json", "--state-dir", str(state)).stdout)
        assert document
