"""The store as any SQLite reader sees it, and load from processes of its own."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid
import zlib
from contextlib import closing, contextmanager
from pathlib import Path

LOAD = Path(__file__).with_name("load.py")


class Store:
    """`incidents.db` in a state directory, read while it is written."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = self.folder / "incidents.db"

    def connect(self):
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)
        db.row_factory = sqlite3.Row
        return closing(db)

    def rows(self, query, *values):
        with self.connect() as db:
            return db.execute(query, values).fetchall()

    def one(self, query, *values):
        return self.rows(query, *values)[0][0]

    def incidents(self):
        return self.one("SELECT count(*) FROM incident")

    def outbreaks(self):
        return self.rows("SELECT * FROM outbreak ORDER BY key")

    def ids(self):
        return [str(uuid.UUID(bytes=row[0])) for row in self.rows("SELECT id FROM incident ORDER BY seq")]

    def records(self):
        return [json.loads(zlib.decompress(row[0])) for row in self.rows("SELECT json FROM record ORDER BY seq")]

    def is_sound(self):
        return self.one("PRAGMA integrity_check") == "ok"

    def bytes(self):
        return sum(path.stat().st_size for path in self.folder.glob("incidents.db*"))

    def wal_bytes(self):
        wal = Path(f"{self.path}-wal")
        return wal.stat().st_size if wal.exists() else 0

    def wait(self, count, timeout=10):
        """Until so many incidents are there."""
        wait(lambda: self.path.exists() and self._count_or_none() == count, timeout, lambda: f"{count} incidents, {self._count_or_none()} there")

    def has(self, incident):
        try:
            return self.path.exists() and incident in self.ids()
        except sqlite3.Error:
            return False  # it is being made

    def _count_or_none(self):
        try:
            return self.incidents()
        except sqlite3.Error:
            return None


def wait(done, timeout=10, what=lambda: ""):
    deadline = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what()}"
        time.sleep(0.05)


@contextmanager
def backend():
    """The port of a fast backend whose every answer is a fault."""
    process = subprocess.Popen([sys.executable, LOAD, "backend"], stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Client:
    """Sends webhooks numbered from `first` on."""

    def __init__(self, port, first, count, lanes=8, log=None, path="/voice/storm"):
        env = os.environ | {"LOAD_PATH": path} | ({"LOAD_LOG": str(log)} if log else {})
        self.process = subprocess.Popen([sys.executable, LOAD, "client", *map(str, (port, first, count, lanes))], stdout=subprocess.PIPE, text=True, env=env)

    def done(self, timeout=120):
        """(answered with TwiML, anything else)"""
        out, _ = self.process.communicate(timeout=timeout)
        word, answered, other = out.split()
        assert word == "sent"
        return int(answered), int(other)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def clients(port, count, processes=3, **more):
    """`count` webhooks, spread over processes."""
    share = count // processes
    running = []
    try:
        for number in range(processes):
            own = share if number < processes - 1 else count - share * (processes - 1)
            running.append(Client(port, number * share, own, **more))
        yield running
    finally:
        for client in running:
            client.kill()


def storm(port, count, processes=3, timeout=300, **more):
    """Sends them as fast as they are answered; gives how many were answered otherwise than with TwiML."""
    with clients(port, count, processes, **more) as running:
        results = [client.done(timeout) for client in running]
    assert sum(answered for answered, _ in results) == count, results
    return sum(other for _, other in results)


def resident_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
