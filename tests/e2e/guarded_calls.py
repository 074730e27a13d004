"""A guard before a voice agent as a test plays calls through it, and what it recorded of them."""

import json
import subprocess

from guard import BINARY, Guard
from platform_edge import APOLOGY, Edge
from store_side import wait

VOICE, ENDED, STATUS = "/webhook/incoming_call", "/webhook/stream_ended", "/webhook/stream_status"
# A stream that the tests can afford counts as done.
SHORT = '[streams]\ndone_after = "400ms"\ndone_audio = "100ms"\n'
ROLE = f"action of <Connect> from POST {VOICE}"


class Guarded:
    """A guard before an agent, its edge, and what it recorded."""

    def __init__(self, port, folder, config="", env=None):
        self.port, self.folder, self.config, self.env = port, folder, config, env or {}
        self.guard = None
        self.start()

    def start(self):
        self.guard = Guard(f"http://127.0.0.1:{self.port}", "--state-dir", str(self.folder), config=self.config,
                           env={"TWIML_GUARD_BUDGET": "2s"} | self.env)

    def restart(self):
        assert self.guard.terminate() == 0
        self.guard.close()
        self.start()

    def call(self, caller=None, sid=None, **options):
        return Edge(self.guard.port, **options).call(caller, sid)

    def event(self, path, **fields):
        """The log event of an incident on this path."""
        return self.guard.event(lambda event: event.get("url.path") == path and "summary" in event
                                and all(str(event.get(name.replace("_", "."))) == str(wanted) for name, wanted in fields.items()))

    def blame(self, path, *parts):
        """The one line about this path has these parts, in the log and on record."""
        event = self.event(path)
        for part in parts:
            assert part in event["summary"], event["summary"]
        wait(lambda: any(row["summary"] == event["summary"] for row in self.incidents()), 5, lambda: self.incidents())
        return event

    def incidents(self):
        done = self.command("incidents", "--each", "--json", code=None)
        return json.loads(done.stdout)["incidents"] if done.returncode == 0 else []

    def command(self, *arguments, code=0):
        folder = ["--state-dir", str(self.folder)]
        done = subprocess.run([str(BINARY), *arguments, *folder], capture_output=True, text=True, timeout=20, check=False, cwd=self.folder)
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done

    def close(self):
        self.guard.close()


def assert_spoken_to(call):
    assert call.errors() == []
    assert APOLOGY not in call.heard
    assert any("sorry" in heard.lower() for heard in call.heard), call.heard
