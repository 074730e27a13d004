"""Storms and kills: every incident counted, nothing lost that is older than a second, disk and memory bounded."""

import sqlite3
import threading
import time

import pytest

from guard import Guard
from store_side import Client, Store, resident_mb, storm, wait
from twilio_side import call


def storm_of(count, most_mb, faulty, state, **more):
    with Guard(f"http://127.0.0.1:{faulty}", "--state-dir", str(state)) as guard:
        store = Store(state)
        start = time.monotonic()
        storm(guard.port, count, **more)
        took = time.monotonic() - start
        store.wait(count, 20)
        whole = store.bytes()
        assert guard.count("answers", outcome="replaced") == count
        assert guard.count("incidents_dropped") == 0
        assert guard.count("incidents_not_stored") == 0
        resident = resident_mb(guard.process.pid)
        assert guard.terminate() == 0
        logged = sum(len(line) for line in guard.lines)
        own = sum(1 for event in guard.events if event.get("cause"))
    outbreak, = store.outbreaks()
    assert (outbreak["count"], outbreak["callers"]) == (count, 500)
    assert store.incidents() == len(set(store.ids())) == count
    records = store.one("SELECT count(*) FROM record")
    print(f"{count} in {took:.1f} s; disk {whole / 1e6:.1f} MB ({store.bytes() / 1e6:.1f} at rest), {records} whole, "
          f"resident {resident:.0f} MB, log {logged / count:.0f} bytes each in {own} events")
    assert whole < most_mb * 1e6
    assert 5 <= records <= 60 + took / 60
    assert resident < 200
    # One line for each, none of which repeats the page.
    assert own == count
    assert logged / count < 2_500
    assert store.is_sound()


def test_ten_thousand_faults_are_all_counted_and_stay_small(binary, faulty, tmp_path):
    storm_of(10_000, 15, faulty, tmp_path / "state")


@pytest.mark.long
def test_a_hundred_thousand_faults_are_all_counted_and_stay_small(binary, faulty, tmp_path):
    storm_of(100_000, 60, faulty, tmp_path / "state")


@pytest.mark.long
def test_pages_that_are_never_the_same_stay_small_too(binary, faulty, tmp_path):
    storm_of(10_000, 15, faulty, tmp_path / "state", path="/unique")


def test_five_kills_under_load_lose_nothing_older_than_a_second(binary, faulty, tmp_path):
    state = tmp_path / "state"
    store = Store(state)
    delivered, outbreak = set(), None
    for kill in range(5):
        with Guard(f"http://127.0.0.1:{faulty}", "--state-dir", str(state)) as guard:
            log = tmp_path / f"log-{kill}"
            client = Client(guard.port, kill * 1_000_000, 1_000_000, log=log)
            try:
                time.sleep(2)
                guard.process.kill()
                killed = time.monotonic()
                guard.process.wait()
            finally:
                client.kill()
        answers = [line.split() for line in log.read_text().splitlines() if len(line.split()) == 3]
        older = {incident for _, at, incident in answers if float(at) < killed - 1}
        assert len(older) > 100, "no load"
        delivered |= older
        # The file opens as the kill left it.
        assert store.is_sound()
        missing = delivered - set(store.ids())
        assert not missing, f"kill {kill}: {len(missing)} of {len(delivered)} are missing"
        now, = store.outbreaks()
        assert outbreak is None or (now["id"] == outbreak["id"] and now["count"] > outbreak["count"] and now["closed_ms"] is None)
        assert now["count"] == store.incidents()
        outbreak = now
    print(f"{len(delivered)} answers older than a second at a kill, all there; {store.incidents()} in all")


def test_what_is_stored_is_there_within_a_second(binary, faulty, tmp_path):
    with Guard(f"http://127.0.0.1:{faulty}", "--state-dir", str(tmp_path / "state")) as guard:
        store = Store(tmp_path / "state")
        for number in range(1, 6):
            incident = call(guard.port, "/voice").one("Twiml-Guard-Incident")
            start = time.monotonic()
            wait(lambda: incident in store.ids(), 1)
            print(f"there after {(time.monotonic() - start) * 1000:.0f} ms")
            assert store.incidents() == number


def test_readers_and_the_writer_do_not_wait_for_each_other(binary, faulty, tmp_path):
    """Five readers poll, and one holds a transaction open, while 5,000 incidents are written."""
    state = tmp_path / "state"
    store = Store(state)
    with Guard(f"http://127.0.0.1:{faulty}", "--state-dir", str(state)) as guard:
        call(guard.port, "/voice")
        store.wait(1)
        over, errors, reads = threading.Event(), [], []

        def poll():
            while not over.is_set():
                try:
                    start = time.monotonic()
                    count = store.incidents()
                    listed = sum(row["count"] for row in store.outbreaks())
                    reads.append(time.monotonic() - start)
                    time.sleep(0.02)
                    if listed < count:
                        errors.append(f"{count} incidents, {listed} in outbreaks")
                except sqlite3.Error as error:
                    errors.append(repr(error))

        readers = [threading.Thread(target=poll) for _ in range(5)]
        for reader in readers:
            reader.start()
        with store.connect() as long:
            long.execute("BEGIN")
            before = long.execute("SELECT count(*) FROM incident").fetchone()[0]
            start = time.monotonic()
            storm(guard.port, 5_000)
            # Written although somebody reads what was there before.
            store.wait(5_001, 20)
            time.sleep(max(0, 5 - (time.monotonic() - start)))
            assert long.execute("SELECT count(*) FROM incident").fetchone()[0] == before
            held = store.wal_bytes()
        over.set()
        for reader in readers:
            reader.join()
        assert errors == []
        assert len(reads) > 20
        assert guard.count("incidents_not_stored") == 0
        assert [event for event in guard.events if event.get("level") == "ERROR"] == []
        print(f"{len(reads)} reads, the slowest {max(reads):.2f} s; write-ahead log {held / 1e6:.1f} MB while a reader held it")
        assert held < 32e6
        assert guard.terminate() == 0
    assert store.wal_bytes() == 0
