"""An incident from its first alert to its proven fix: what the README shows of it is what happens.

With UPDATE=1 the README's part is written anew.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest
from werkzeug.serving import make_server

import clinic
import guard as guards
from receiver import Receiver
from twilio_side import CALL, call

README = guards.ROOT / "README.md"
BEGIN, END = "<!-- incident:begin -->\n", "<!-- incident:end -->"
CUT = "[…]"
# What differs from run to run, and the blanks that line it up.
CHANGING = [
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}[0-9a-f-]*", "ID"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{3}Z", "TIME"),
    (r"\d\d-\d\d \d\d:\d\dZ", "TIME"),
    (r"\d+ (ms|s|min) ago|\bnow\b", "AGO"),
    (r"\d+(\.\d)? (ms|s)\b", "DURATION"),
    (r"(?m)^( +now +\d.{60}).*", r"\1"),  # where it wraps hangs on the duration's width
    (r"127\.0\.0\.1:\d+", "BACKEND"),
    (r" *\(on [^)]*\)", ""),
    (r"\d+ passed.*", "PASSED"),
    (r"[^\S\n]+", " "),
]
ROUTES = "".join(f'[[route]]\npath = "{path}"\nslot = "{slot}"\n' for path, slot in [("/voice", "voice"), ("/menu", "action"), ("/after-hours", "voice")])


def scrubbed(text):
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    return text


def shortened(text, keep):
    """The lines that one of the patterns is found in; one behind which some are left out says so."""
    lines = []
    for line in text.rstrip("\n").split("\n"):
        if keep is None or any(re.search(pattern, line) for pattern in keep):
            lines.append(line)
        elif lines and not lines[-1].endswith(CUT):
            lines[-1] += f"  {CUT}"
    return "\n".join(lines)


class Story:
    def __init__(self, folder):
        self.folder = folder
        self.said = []
        self.server = make_server("127.0.0.1", 0, clinic.app, threaded=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.backend = f"http://127.0.0.1:{self.server.server_port}"
        self.hook = Receiver()
        config = f'[incidents]\nquiet_after = "20s"\n{ROUTES}[[notify]]\nurl = "{self.hook.url("/hook")}"\n'
        self.config = folder / "config.toml"
        self.config.write_text(f'upstream = "{self.backend}"\nstate_dir = "{folder / "state"}"\n{config}')
        self.guard = guards.Guard(self.backend, "--state-dir", str(folder / "state"), config=config, env={"NO_PROXY": "127.0.0.1"})

    def close(self):
        self.guard.close()
        self.hook.close()
        self.server.shutdown()

    def call(self, target, number, **params):
        caller = f"+1555010{number}"
        reply = call(self.guard.port, target, CALL | {"CallSid": f"CA0123456789abcdef0123456789ab{number}", "From": caller, "Caller": caller} | params)
        assert reply.status == 200, reply

    def command(self, line, code=0, keep=None):
        """Runs what the story types; its output is part of the story."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("TWIML_GUARD_", "TWILIO_"))}
        path = f"{guards.BINARY.parent}{os.pathsep}{os.path.dirname(sys.executable)}{os.pathsep}{clean['PATH']}"
        done = subprocess.run(line, shell=True, cwd=self.folder, env=clean | {"PATH": path, "TWIML_GUARD_CONFIG": str(self.config)}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        more = "" if code == 0 else f"\n(exit code {code})"
        self.said.append(f"$ {line}\n{shortened(done.stdout, keep)}{more}".rstrip())
        return done.stdout

    def told(self, count, *wanted):
        """The message that the webhook got with these words in it."""
        texts = [json.loads(post.body)["text"] for post in self.hook.wait(count)]
        text = next(text for text in texts if all(word in text for word in wanted))
        self.said.append("\n".join(f"#phone-alerts> {line}" for line in shortened(text, [r"^Outbreak|^\d+ inc|^Look"]).split("\n")))

    def text(self):
        return "\n\n".join(self.said)


@pytest.fixture
def story(binary, tmp_path, monkeypatch):
    monkeypatch.setattr(clinic, "FIXED", tmp_path / "fixed")
    (tmp_path / "clinic.py").write_text(open(clinic.__file__, encoding="utf-8").read())
    told = Story(tmp_path)
    yield told
    told.close()


def lived(story):
    for number in ["4477", "4478", "4479", "4477"]:
        story.call("/voice", number)
    story.call("/menu", "4480", Digits="1", CallStatus="in-progress")
    story.call("/after-hours", "4481")
    story.told(3, "Outbreak", "on /voice")
    deadline = time.monotonic() + 10
    ids = {}
    while len(ids) < 3:
        assert time.monotonic() < deadline, "not recorded"
        found = subprocess.run([guards.BINARY, "incidents", "--json", "--config", story.config], capture_output=True, check=False).stdout
        ids = {one["route"]: one["id"] for one in json.loads(found or '{"outbreaks": []}')["outbreaks"]}
        time.sleep(0.1)

    story.command("twiml-guard incidents")
    page = [r"^replaced|^fix:|^in:|^Twilio|^Timeline|first byte|ms  delivered|^Delivered|^ +<Resp|^ +Please"]
    story.command(f"twiml-guard incidents show {ids['/voice'][:18]}", keep=page)
    story.command("twiml-guard incidents replay --open --yes", code=1, keep=[r"^still|^fixed|^  now|^\d+ "])
    story.command("twiml-guard incidents export --open --as pytest --app clinic:app > test_twilio.py")
    clinic.FIXED.touch()
    story.said.append("# the table's new name, the BOM and the login on /after-hours are fixed; deployed:")
    story.command("twiml-guard incidents replay --open --yes", keep=[r"^fixed|^\d+ "])
    story.command("pytest -q test_twilio.py", keep=[r"passed"])
    story.told(6, "Outbreak over", "on /voice")
    return story.text()


def test_the_readme_shows_an_incident_as_it_happens(story):
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    inside, after = rest.split(END)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:5000", lived(story))
    if os.environ.get("UPDATE"):
        README.write_text(f"{before}{BEGIN}\n```console\n{text}\n```\n{END}{after}", encoding="utf-8")
        return
    assert scrubbed(inside) == scrubbed(f"\n```console\n{text}\n```\n"), "run this test with UPDATE=1"
