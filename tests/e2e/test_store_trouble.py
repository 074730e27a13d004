"""What can happen to a state directory while calls go on: no space, no permission, gone, no folder, damage, another version."""

import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

import contract
from guard import BINARY, ROOT, Guard
from store_side import Store, resident_mb, storm, wait
from twilio_side import CALL, call

OLD = ROOT / "tests" / "data" / "incidents-v1.db"


def start(faulty, state, **more):
    return Guard(f"http://127.0.0.1:{faulty}", "--state-dir", str(state), **more)


def told(guard, level="ERROR"):
    """What the log says of this level besides the incidents."""
    return [event["message"] for event in guard.events if event.get("level") == level and not event.get("cause")]


def is_up(guard):
    return guard.gauge("twiml_guard_store_up") == 1


def answered(guard, **parameters):
    reply = call(guard.port, "/voice", CALL | parameters)
    contract.assert_outcome(reply, "replaced")
    return reply.one("Twiml-Guard-Incident")


# No space ------------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system of 3 MB."""

    options = {}

    def __init__(self, folder):
        self.folder = folder
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", folder], capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a file system is refused here")

    def fill(self, _):
        with open(self.folder / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def free(self, _):
        (self.folder / "filler").unlink()

    def close(self):
        subprocess.run(["umount", self.folder], check=True)


class SmallFiles:
    """No file may grow: what any kernel can do to any process."""

    # A process that ignores the signal is told by an error instead.
    options = {"process": {"preexec_fn": lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN), "restore_signals": False}}

    def __init__(self, _):
        pass

    def fill(self, guard):
        resource.prlimit(guard.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

    def free(self, guard):
        resource.prlimit(guard.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self):
        pass


@pytest.fixture(params=[SmallDisk, SmallFiles])
def disk(request, tmp_path):
    disk = request.param(tmp_path)
    yield disk
    disk.close()


def test_a_full_disk_stops_no_call_and_recording_comes_back(binary, faulty, tmp_path, disk):
    with start(faulty, tmp_path, **disk.options) as guard:
        store = Store(tmp_path)
        storm(guard.port, 100)
        store.wait(100)
        disk.fill(guard)
        sent = 100
        while is_up(guard):
            assert sent < 10_000, "the disk is never full"
            storm(guard.port, 200)
            sent += 200
        storm(guard.port, 200)
        sent += 200
        message, = told(guard)
        assert "can't be stored" in message
        assert not is_up(guard)
        disk.free(guard)
        store.wait(sent, 10)
        assert is_up(guard)
        assert guard.count("incidents_not_stored") == guard.count("incidents_dropped") == 0
        assert guard.event(lambda event: "stored again" in event["message"])
        assert len(told(guard)) == 1
        assert store.is_sound()
        outbreak, = store.outbreaks()
        assert outbreak["count"] == sent
        assert guard.terminate() == 0


@pytest.mark.long
def test_what_waits_for_too_long_is_bounded_and_counted(binary, faulty, tmp_path):
    """60,000 incidents while there is no folder: 50,000 wait, the rest is counted."""
    state = tmp_path / "state"
    state.write_text("no folder")
    with start(faulty, state) as guard:
        storm(guard.port, 60_000)
        wait(lambda: guard.count("incidents_not_stored") > 9_000, 20)
        assert guard.count("incidents_dropped") == 0
        resident = resident_mb(guard.process.pid)
        print(f"resident {resident:.0f} MB with 50,000 incidents waiting")
        assert resident < 250
        state.unlink()
        wait(lambda: is_up(guard), 10)
        lost = guard.count("incidents_not_stored")
        store = Store(state)
        store.wait(60_000 - lost, 20)
        event = guard.event(lambda event: "stored again" in event["message"])
        assert event["lost"] >= lost - 10
        answered(guard)
        store.wait(60_001 - lost)
        # The count knows of those that are missing.
        outbreak, = store.outbreaks()
        assert outbreak["count"] == 60_001


# No permission, no folder --------------------------------------------------------------------------------


@pytest.fixture
def nobody(tmp_path):
    """Options that start a guard whom permissions hold: root's guard is somebody else."""
    if os.geteuid() != 0:
        yield tmp_path / "state", {}
        return
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        os.chmod(folder, 0o755)
        own = shutil.copy(BINARY, folder)
        state = Path(folder, "state")
        state.mkdir()
        os.chown(state, 65534, 65534)
        yield state, {"binary": own, "process": {"user": 65534, "group": 65534, "extra_groups": []}}


def test_a_state_directory_that_becomes_read_only_stops_no_call(nobody, faulty):
    state, options = nobody
    with start(faulty, state, **options) as guard:
        store = Store(state)
        first = answered(guard)
        store.wait(1)
        # The files that are open may be written to still; new ones can't be made.
        state.chmod(0o500)
        second = answered(guard)
        store.wait(2)
        assert store.ids() == [first, second]
        state.chmod(0o700)


def test_a_read_only_state_directory_stops_no_call_and_recording_begins_later(nobody, faulty):
    state, options = nobody
    state.mkdir(exist_ok=True)
    state.chmod(0o500)
    with start(faulty, state, **options) as guard:
        assert not is_up(guard)
        first = answered(guard, From="+15550101234")
        messages = told(guard)
        assert any("can't be stored" in message for message in messages) and len(messages) <= 2, messages
        state.chmod(0o700)
        store = Store(state)
        store.wait(1, 5)
        assert is_up(guard) and store.ids() == [first]
        # The hashes are those of a key that stays.
        wait((state / "key").exists, 5)
        caller = store.one("SELECT caller FROM incident")
        second = answered(guard, From="+15550101234")
        guard.terminate()
    with start(faulty, state, **options) as guard:
        third = answered(guard, From="+15550101234")
        store.wait(3)
    assert store.ids() == [first, second, third]
    assert {row[0] for row in store.rows("SELECT caller FROM incident")} == {caller}


def test_a_file_instead_of_a_folder_stops_no_call_and_recording_begins_later(binary, faulty, tmp_path):
    state = tmp_path / "state"
    state.write_text("somebody's notes")
    with start(faulty, state) as guard:
        first = answered(guard)
        assert not is_up(guard)
        assert any("can't be stored" in message for message in told(guard))
        assert state.read_text() == "somebody's notes"
        state.rename(tmp_path / "notes")
        store = Store(state)
        store.wait(1, 5)
        assert store.ids() == [first]
        assert guard.event(lambda event: "stored again" in event["message"])


def test_a_state_directory_that_vanishes_is_made_again(binary, faulty, tmp_path):
    state = tmp_path / "state"
    with start(faulty, state) as guard:
        store = Store(state)
        answered(guard, From="+15550101234")
        store.wait(1)
        caller = store.one("SELECT caller FROM incident")
        key = (state / "key").read_bytes()
        shutil.rmtree(state)
        second = answered(guard, From="+15550101234")
        store.wait(1, 5)
        assert store.ids() == [second]
        # Numbers are found by the key that was there before.
        assert store.one("SELECT caller FROM incident") == caller
        wait(lambda: (state / "key").exists() and (state / "key").read_bytes() == key, 5)
        assert stat.S_IMODE((state / "key").stat().st_mode) == 0o600
        assert guard.event(lambda event: event.get("level") == "WARN" and "removed" in event["message"])
        assert told(guard) == []
        assert is_up(guard)


# Damage --------------------------------------------------------------------------------------------------


def some(faulty, state, count=400):
    with start(faulty, state) as guard:
        storm(guard.port, count)
        Store(state).wait(count)
        assert guard.terminate() == 0
    return (state / "incidents.db").read_bytes()


def aside(state):
    return sorted(path for path in state.glob("incidents.db.damaged-*") if not path.name.endswith(("-wal", "-shm")))


def overwrite(path, start, end=None):
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(os.urandom((end or size) - start))


@pytest.mark.parametrize("spoil", [
    pytest.param(lambda path: path.write_bytes(b"no database at all, but some text. " * 200), id="text"),
    pytest.param(lambda path: overwrite(path, path.stat().st_size // 2, path.stat().st_size // 2 + 20_000), id="a few pages"),
    pytest.param(lambda path: overwrite(path, 100, 4096), id="first page", marks=pytest.mark.long),
    pytest.param(lambda path: overwrite(path, 4096), id="all but the first page", marks=pytest.mark.long),
    pytest.param(lambda path: os.truncate(path, 10_000), id="cut", marks=pytest.mark.long),
])
def test_a_damaged_file_is_set_aside_at_the_start(binary, faulty, tmp_path, spoil):
    state = tmp_path / "state"
    some(faulty, state)
    store = Store(state)
    spoil(store.path)
    spoilt = store.path.read_bytes()
    with start(faulty, state) as guard:
        incident = answered(guard)
        event = guard.event(lambda event: event.get("level") == "ERROR" and "damaged" in event["message"])
        kept, = aside(state)
        assert event["aside"] == str(kept)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        # Not a byte of what was there is lost, but for what was folded in before it was found damaged.
        assert len(kept.read_bytes()) >= len(spoilt)
        wait(lambda: store.path.exists() and is_up(guard), 5)
        later = answered(guard)
        wait(lambda: store.has(later), 5)
        assert store.is_sound()
        # The one that came before the damage was found may be in the file that was put aside.
        assert incident in store.ids() or incident.replace("-", "") in kept.read_bytes().hex() or Path(f"{kept}-wal").exists()


@pytest.mark.parametrize("spoil", [
    pytest.param(lambda path: overwrite(path, 0), id="everything"),
    pytest.param(lambda path: os.truncate(path, 0), id="emptied", marks=pytest.mark.long),
    pytest.param(lambda path: path.write_bytes(b"no database\n" * 1000), id="text", marks=pytest.mark.long),
])
def test_a_file_that_is_damaged_meanwhile_is_set_aside(binary, faulty, tmp_path, spoil):
    state = tmp_path / "state"
    store = Store(state)
    with start(faulty, state) as guard:
        storm(guard.port, 400)
        store.wait(400)
        spoil(store.path)
        wait(lambda: aside(state), 5)
        incident = answered(guard)
        wait(lambda: store.has(incident), 5)
        assert store.is_sound() and is_up(guard)
        assert len([message for message in told(guard) if "damaged" in message]) == 1
        outbreak, = store.outbreaks()
        assert outbreak["count"] == 401
        assert guard.terminate() == 0


def test_pages_that_are_damaged_meanwhile_stop_nothing_and_are_found(binary, faulty, tmp_path):
    """The writer may not need them for long; whoever starts next finds them."""
    state = tmp_path / "state"
    store = Store(state)
    with start(faulty, state) as guard:
        storm(guard.port, 4_000)
        store.wait(4_000)
        size = store.path.stat().st_size
        overwrite(store.path, size // 3, size // 3 + 50_000)
        storm(guard.port, 400)
        guard.terminate()
    with start(faulty, state) as guard:
        wait(lambda: aside(state), 10)
        incident = answered(guard)
        wait(lambda: store.has(incident), 5)
        assert store.is_sound()


# Versions ------------------------------------------------------------------------------------------------


def test_an_older_file_is_brought_to_this_version(binary, faulty, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    store = Store(state)
    shutil.copy(OLD, store.path)
    store.path.chmod(0o644)
    version, count = store.one("PRAGMA user_version"), store.incidents()
    assert (version, count) == (1, 12)
    tables = {table: [tuple(row) for row in store.rows(f"SELECT * FROM {table}")] for table in ("incident", "outbreak", "outbreak_caller", "record")}
    with start(faulty, state) as guard:
        answered(guard)
        store.wait(count + 1)
        assert guard.terminate() == 0
        assert told(guard) == []
    assert store.one("PRAGMA user_version") > 1
    for table, rows in tables.items():
        # An outbreak may go on with other codes, or be closed, but is the same one. Newer columns stand behind.
        known = slice(0, 4) if table == "outbreak" else slice(0, len(rows[0]))
        kept = {tuple(row)[known] for row in store.rows(f"SELECT * FROM {table}")}
        assert {row[known] for row in rows} <= kept, table
    assert len(store.records()) == len(tables["record"]) + 1
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert store.is_sound()
    assert store.one("SELECT count(*) FROM traffic") == 1


def test_a_newer_file_is_left_alone_and_calls_go_on(binary, faulty, tmp_path):
    state = tmp_path / "state"
    some(faulty, state, 10)
    path = state / "incidents.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    before = path.read_bytes()
    with start(faulty, state) as guard:
        answered(guard)
        answered(guard)
        assert not is_up(guard)
        event = guard.event(lambda event: event.get("level") == "ERROR")
        assert re.search(r"version 99\b.*newer", str(event["error"]))
        assert len(told(guard)) == 1
        assert guard.terminate() == 0
    for asked in (["--all"], ["stats"], ["show", "0"], ["forget", "--number", "+15550101234", "--yes"]):
        done = subprocess.run([str(BINARY), "incidents", *asked, "--state-dir", str(state)], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode not in (0, 101) and done.stdout == "", asked
        assert re.search(r"version 99\b.*newer", done.stderr), done.stderr
    assert path.read_bytes() == before
    assert aside(state) == []


def test_somebody_elses_database_is_left_alone(binary, faulty, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    path = state / "incidents.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs(a)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with start(faulty, state) as guard:
        answered(guard)
        assert not is_up(guard)
        assert guard.terminate() == 0
    assert path.read_bytes() == before
