"""The built guard as a process: started on free ports, its log lines and metrics read."""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import twilio_side

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("TWIML_GUARD_BIN") or ROOT / "target" / "debug" / "twiml-guard")


def flat(value, prefix=""):
    """Nested or dotted, an event's fields become one dotted level."""
    if not isinstance(value, dict):
        return {prefix: value}
    out = {}
    for key, inner in value.items():
        name = key if not prefix or prefix == "fields" else f"{prefix}.{key}"
        out.update(flat(inner, name))
    return out


def from_human(line):
    """The fields of a line for people, as far as they tell where the guard listens."""
    text = line.rstrip("\n")
    found = re.match(r"\S+Z \w+ +(listening)  (listener=.*)", text)
    if not found:
        return {"message": text, "not.json": True}
    return {"message": found.group(1)} | dict(field.split("=", 1) for field in found.group(2).split("  "))


class Guard:
    """`twiml-guard serve` with the given upstream; `config` is the text of its config file, `wrap` a command that starts it,
    `process` more for the start of the process."""

    def __init__(self, upstream, *flags, config=None, env=None, ops="127.0.0.1:0", public_url=f"https://{twilio_side.HOST}", log_format="json",
                 binary=BINARY, wrap=(), process=None):
        self.folder = tempfile.TemporaryDirectory(prefix="guard-")
        command = [*wrap, str(binary), "serve", "--listen", "127.0.0.1:0", "--upstream", upstream, "--log-format", log_format]
        if ops:
            command += ["--ops", ops]
        if public_url:
            command += ["--public-url", public_url]
        if config is not None:
            path = Path(self.folder.name, "guard.toml")
            path.write_text(config)
            command += ["--config", str(path)]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TWIML_GUARD_")}
        self.process = subprocess.Popen(
            [*command, *flags], cwd=self.folder.name, env=clean | {"XDG_STATE_HOME": self.folder.name} | (env or {}), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace", **(process or {}),
        )
        self.lines = []
        self.events = []
        self.arrived = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        listening = self.event(lambda event: event.get("message") == "listening" and event.get("listener") == "public", 20)
        self.port = int(listening["server.address"].rsplit(":", 1)[1])
        self.ops_port = None
        if ops not in (None, "off"):
            listening = self.event(lambda event: event.get("message") == "listening" and event.get("listener") == "ops", 20)
            self.ops_port = int(listening["server.address"].rsplit(":", 1)[1])

    def _read(self):
        for line in self.process.stderr:
            try:
                event = flat(json.loads(line))
            except ValueError:
                event = from_human(line)
            with self.arrived:
                self.lines.append(line)
                self.events.append(event)
                self.arrived.notify_all()
        with self.arrived:
            self.arrived.notify_all()

    def event(self, wanted, timeout=5):
        """The first log event that `wanted` takes; waits for it."""
        deadline = time.monotonic() + timeout
        checked = 0
        with self.arrived:
            while True:
                for event in self.events[checked:]:
                    if wanted(event):
                        return event
                checked = len(self.events)
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self.reader.is_alive()):
                    raise AssertionError(f"no such log event; exit code {self.process.poll()}; last lines:\n" + "".join(self.lines[-15:]))
                self.arrived.wait(min(left, 0.5))

    def incident(self, number, timeout=5):
        """The log event that names this incident."""
        return self.event(lambda event: number in (event.get("incident"), event.get("incident.id")), timeout)

    def metrics(self):
        return twilio_side.plain(self.ops_port, "GET", "/metrics").body.decode()

    def samples(self):
        """[(name, labels, value)] of every sample."""
        out = []
        for line in self.metrics().splitlines():
            found = re.match(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$', line)
            if found and not line.startswith("#"):
                labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found.group(2) or ""))
                out.append((found.group(1), labels, float(found.group(3))))
        return out

    def gauge(self, name):
        """The sample of this name, which has no labels."""
        return next(value for own, labels, value in self.samples() if own == name and not labels)

    def count(self, what, **labels):
        """Sum of the samples of `twiml_guard_WHAT_total` whose labels include these."""
        return sum(
            value for name, own, value in self.samples()
            if name == f"twiml_guard_{what}_total" and all(own.get(key) == wanted for key, wanted in labels.items())
        )

    def terminate(self, timeout=30):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.reader.join(5)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
