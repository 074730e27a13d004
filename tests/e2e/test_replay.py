"""From a fault to its proven fix: recorded by the built guard, replayed, exported as a test."""

import json
import os
import pty
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from werkzeug.serving import make_server

import guard as guards
import shop
import twilio_side
from twilio_side import CALL, call

KINDS = ["ampersand", "bom", "page", "json", "untyped"]
CALLER = "+15557770123"


class Place:
    """The app, a guard before it, and the folder in which everything happens."""

    def __init__(self, folder, config=None):
        self.folder = folder
        self.server = make_server("127.0.0.1", 0, shop.app, threaded=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.backend = f"http://127.0.0.1:{self.server.server_port}"
        self.state = folder / "state"
        self.mode("broken")
        self.config = folder / "guard.toml"
        text = f'upstream = "{self.backend}"\npublic_url = "https://{twilio_side.HOST}"\n' + (config or "")
        self.config.write_text(text)
        self.guard = guards.Guard(self.backend, "--state-dir", str(self.state), config=text)

    def mode(self, mode):
        shop.MODE.write_text(mode)

    def record(self, *targets, params=None, count=None, **more):
        """Calls, and waits until all of it is on record."""
        for target in targets:
            reply = call(self.guard.port, target, CALL | {"From": CALLER, "Caller": CALLER} | (params or {}), **more)
            assert reply.all("Twiml-Guard-Incident"), reply
        deadline = time.monotonic() + 10
        while len(self.incidents()) < (count or len(targets)):
            assert time.monotonic() < deadline, "not recorded"
            time.sleep(0.05)

    def incidents(self):
        done = self.run("--each", "--json", "--limit", "1000", check=False)
        return json.loads(done.stdout)["incidents"] if done.returncode == 0 else []

    def run(self, *arguments, env=None, check=True, config=False):
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("TWIML_GUARD_", "TWILIO_"))}
        command = [str(guards.BINARY), "incidents", *arguments, "--state-dir", str(self.state)]
        if config:
            command += ["--config", str(self.config)]
        done = subprocess.run(command, cwd=self.folder, env=clean | (env or {}), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def replay(self, *arguments, **more):
        done = self.run("replay", *arguments, "--yes", "--json", config=True, check=False, **more)
        return done.returncode, json.loads(done.stdout)

    def pytest(self, file, **env):
        shutil.copy(Path(shop.__file__), self.folder / "shop.py")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("APP", "TWILIO_"))}
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)], cwd=self.folder,
                              env=clean | {"SHOP_MODE": str(shop.MODE)} | env, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def close(self):
        self.guard.close()
        self.server.shutdown()


@pytest.fixture
def place(binary, tmp_path, monkeypatch):
    monkeypatch.setattr(shop, "MODE", tmp_path / "mode")
    shop.app.config["SEEN"].clear()
    opened = []

    def make(config=None):
        opened.append(Place(tmp_path, config))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def results(report):
    return {one["path"]: one["result"] for one in report["replayed"]}


def test_a_fault_is_replayed_until_it_is_fixed(place):
    here = place()
    here.record(*(f"/voice/{kind}" for kind in KINDS))
    code, report = here.replay("--open")
    assert (code, report["still_broken"], len(report["replayed"])) == (1, len(KINDS), len(KINDS)), report
    assert set(results(report).values()) == {"still-broken"}
    for one in report["replayed"]:
        assert one["now"]["causes"][0] == one["cause"]
        assert {"name": "From", "recorded": "+1555…0123", "sent": "+15550100123"} in one["substitutes"]

    here.mode("other")
    code, report = here.replay("--open")
    assert code == 1
    # An answer in JSON is another fault everywhere but where it was the fault.
    assert results(report) == {f"/voice/{kind}": "still-broken" if kind == "json" else "different" for kind in KINDS}
    assert {one["now"]["causes"][0] for one in report["replayed"]} == {"json-answer"}

    here.mode("fixed")
    code, report = here.replay("--open")
    assert (code, report["fixed"], report["different"], report["still_broken"]) == (0, len(KINDS), 0, 0)


def test_an_open_outbreak_is_fixed_when_all_of_its_paths_are(place):
    here = place()
    here.record(*["/voice/page"] * 8, "/voice/page/annex")
    listed = here.run().stdout
    assert "1 open outbreak." in listed and "* /voice/page" in listed, listed
    code, report = here.replay("--open")
    assert (code, results(report)) == (1, {"/voice/page": "still-broken", "/voice/page/annex": "still-broken"})
    assert not any("in_place_of" in one for one in report["replayed"])


def test_exported_tests_fail_before_the_fix_and_pass_after_it(place):
    here = place()
    here.record(*(f"/voice/{kind}" for kind in KINDS))
    file = here.folder / "test_twilio.py"
    file.write_text(here.run("export", "--open", "--as", "pytest", "--app", "shop:app").stdout)
    ways = [{}, {"APP": "shop:app"}, {"APP_URL": here.backend}]
    for env in ways:
        code, said = here.pytest(file, **env)
        assert code == 1 and f"{len(KINDS)} failed" in said, said
        assert "recorded for: bare-ampersand" in said
    here.mode("fixed")
    for env in ways:
        code, said = here.pytest(file, **env)
        assert code == 0 and f"{len(KINDS)} passed" in said, said
    here.mode("other")
    code, said = here.pytest(file)
    assert code == 1 and f"{len(KINDS)} failed" in said, said


def test_a_signed_replay_is_one_that_twilios_sdk_accepts(place):
    here = place()
    here.record("/signed/ampersand?step=2", "/signed/bom", params={"Digits": "4711"})
    assert {row["cause"] for row in here.incidents()} == {"bare-ampersand", "byte-order-mark"}
    code, report = here.replay("--open")
    assert (code, report["signed"], report["different"]) == (1, False, 2), report
    assert {one["now"]["status"] for one in report["replayed"]} == {403}
    text = here.run("replay", "--open", "--yes", check=False, config=True).stdout
    assert "unsigned" in text and "the request went unsigned" in text
    token = here.folder / "token"
    token.write_text(shop.TOKEN + "\n")
    for env in [{"TWILIO_AUTH_TOKEN": shop.TOKEN}, {"TWIML_GUARD_AUTH_TOKEN_FILE": str(token)}]:
        code, report = here.replay("--open", env=env)
        assert (code, report["signed"], report["still_broken"]) == (1, True, 2), report
    here.mode("fixed")
    code, report = here.replay("--open", env={"TWILIO_AUTH_TOKEN": shop.TOKEN})
    assert (code, report["fixed"]) == (0, 2), report
    wrong = here.replay("--open", env={"TWILIO_AUTH_TOKEN": "wrong"})
    assert wrong[0] == 1
    file = here.folder / "test_twilio.py"
    file.write_text(here.run("export", "--open", "--as", "pytest").stdout)
    assert here.pytest(file, APP="shop:app", TWILIO_AUTH_TOKEN=shop.TOKEN)[0] == 0
    assert here.pytest(file, APP_URL=here.backend, TWILIO_AUTH_TOKEN=shop.TOKEN)[0] == 0
    assert here.pytest(file, APP="shop:app")[0] == 1


def test_the_request_goes_out_as_it_came(place):
    here = place('[incidents]\ncapture = "full"\n')
    params = {"From": CALLER, "Digits": "4711", "Note": "a+b &=%\n\"'`$(x)` שלום", "Empty": ""}
    here.record("/voice/ampersand/a%20b;c?x=1&empty=&y=%D7%A9", params=params)
    first = shop.app.config["SEEN"][-1]
    identity = here.incidents()[0]["id"]
    code, report = here.replay(identity[:13])
    assert code == 1 and report["replayed"][0]["substitutes"] == []
    again = shop.app.config["SEEN"][-1]
    assert again[:3] == first[:3]
    assert again[2] == {name: [value] for name, value in (CALL | {"Caller": CALLER} | params).items()}
    new = {"Twiml-Guard-Replay", "I-Twilio-Idempotency-Token", "X-Twilio-Signature"}
    strip = lambda headers: {name: value for name, value in headers.items() if name not in new}  # noqa: E731
    assert strip(again[3]) == strip(first[3])
    assert again[3]["Twiml-Guard-Replay"] == identity
    assert again[3]["I-Twilio-Idempotency-Token"] != first[3]["I-Twilio-Idempotency-Token"]
    assert "X-Twilio-Signature" not in again[3]
    # A GET carries its parameters in its query.
    here.record("/voice/bom", method="GET", count=2)
    first = shop.app.config["SEEN"][-1]
    here.replay(here.incidents()[0]["id"])
    assert shop.app.config["SEEN"][-1][:3] == first[:3]


HOSTILE = {
    "quotes": "it's \"quoted\" `touch owned` $(touch owned) ${HOME}",
    "python": "\"\"\" + __import__('os').system('touch owned') + \"\"\" '''\\",
    "lines": "a\nb\r\nc\u2028d\u0085e\x00f",
    "scripts": "שלום 🙂 \u202e \x1b[31m",
}


def test_nothing_that_was_said_gets_out_of_its_quotes(place):
    here = place('[incidents]\ncapture = "full"\n')
    hostile = "/voice/ampersand/'%22$(touch%20owned)%60touch%20owned%60%22%22%22'''?q='$(touch%20owned)'%22%22%22;touch+owned;%0a"
    here.record(hostile, params=HOSTILE)
    first = shop.app.config["SEEN"][-1]
    script = here.folder / "again.sh"
    script.write_text(here.run("export", "--as", "curl").stdout)
    done = subprocess.run(["sh", str(script)], cwd=here.folder, env=os.environ | {"APP_URL": here.backend}, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0 and "Fish & chips" in done.stdout, done.stderr
    by_curl = shop.app.config["SEEN"][-1]
    assert by_curl[:2] == first[:2]
    assert {name: by_curl[2][name] for name in HOSTILE} == {name: [value] for name, value in HOSTILE.items()}
    here.record("/voice/hostile", params=HOSTILE, count=2)
    assert subprocess.run(["sh", "-c", here.run("export", "--as", "curl").stdout], cwd=here.folder, env=os.environ | {"APP_URL": here.backend},
                          capture_output=True, timeout=60, check=False).returncode == 0
    file = here.folder / "test_twilio.py"
    file.write_text(here.run("export", "--as", "pytest").stdout)
    for env in [{"APP_URL": here.backend}, {"APP": "shop:app"}]:
        code, said = here.pytest(file, **env)
        assert code == 1 and "2 failed" in said, said
    by_test = [one for one in shop.app.config["SEEN"] if one[1] == first[1]][-1]
    assert {name: by_test[2][name] for name in HOSTILE} == {name: [value] for name, value in HOSTILE.items()}
    assert not list(here.folder.rglob("owned"))


@pytest.mark.parametrize("capture", ["masked", "full"])
def test_exports_for_others_hold_no_number(place, capture):
    here = place(f'[incidents]\ncapture = "{capture}"\n')
    here.record(f"/voice/page/{CALLER.strip('+')}?From=%2B{CALLER.strip('+')}", "/voice/json", params={"Digits": "4711", "SpeechResult": "open sesame"})
    for kind in ["curl", "pytest"]:
        text = here.run("export", "--as", kind).stdout
        assert "5557770123" not in text and "4711" not in text and "open sesame" not in text
        assert "15550100123" in text
    lines = [json.loads(line) for line in here.run("export").stdout.splitlines()]
    assert len(lines) == 2 and all(line["record"]["request"]["params"] for line in lines)
    if capture == "masked":
        assert "5557770123" not in json.dumps(lines)
    assert [line["cause"] for line in lines] == ["json-answer", "html-page"]
    assert len(here.run("export", "--cause", "json-answer").stdout.splitlines()) == 1
    assert len(here.run("export", lines[0]["id"]).stdout.splitlines()) == 1


def test_of_a_storm_the_nearest_that_was_kept_is_replayed(place):
    here = place()
    here.record(*["/voice/bom"] * 9, count=9)
    last = here.incidents()[0]
    assert not last["whole"]
    code, report = here.replay(last["id"])
    assert code == 1
    [one] = report["replayed"]
    assert one["in_place_of"] == last["id"] and one["result"] == "still-broken"
    assert len(here.replay("--open")[1]["replayed"]) == 1


def test_a_backend_that_is_away_is_no_verdict(place):
    here = place()
    here.record("/voice/bom", "/voice/page")
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        free = nobody.getsockname()[1]
    code, report = here.replay("--open", "--to", f"http://127.0.0.1:{free}")
    assert code == 69
    assert {one["now"]["causes"][0] for one in report["replayed"]} == {"connection-refused"}
    here.mode("fixed")
    assert here.replay("--open", "--to", here.backend)[0] == 0


def test_what_makes_no_sense_is_said_before_anything_is_sent(place):
    here = place()
    here.record("/voice/bom")
    before = len(shop.app.config["SEEN"])
    identity = here.incidents()[0]["id"]
    for arguments, said in [
        (["replay"], "--open"),
        (["replay", "--open"], "--yes"),
        (["replay", identity, "--open"], "--open"),
        (["replay", "ffff0000", "--yes"], "none on record"),
        (["replay", "--open", "--yes", "--to", "http://169.254.169.254"], "link-local"),
        (["replay", "--open", "--yes", "--to", "http://[::ffff:169.254.169.254]:80"], "link-local"),
        (["replay", "--open", "--yes", "--to", "ftp://x"], "http://"),
        (["export", "--as", "pytest", "--app", "os:system('x')"], "module"),
        (["export", "--as", "curl", "--app", "shop:app"], "--as pytest"),
    ]:
        done = here.run(*arguments, check=False)
        assert done.returncode == 2 and said in done.stderr, (arguments, done)
    assert len(shop.app.config["SEEN"]) == before


def everything(terminal):
    """What a terminal shows once nobody writes to it any more; one read may bring a part only."""
    said = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says EIO at the end
            return said.decode()
        if not piece:
            return said.decode()
        said += piece


@pytest.mark.parametrize(("answer", "sent"), [("n", 0), ("", 0), ("y", 1)])
def test_somebody_at_a_terminal_is_asked(place, answer, sent):
    here = place()
    here.record("/voice/bom")
    before = len(shop.app.config["SEEN"])
    ours, theirs = pty.openpty()
    command = [str(guards.BINARY), "incidents", "replay", "--open", "--state-dir", str(here.state), "--config", str(here.config)]
    process = subprocess.Popen(command, cwd=here.folder, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    out = process.communicate(timeout=30)[0]
    said = everything(ours)
    os.close(ours)
    assert "[y/N]" in said and here.backend.removeprefix("http://") in said
    assert process.returncode == 1
    assert len(shop.app.config["SEEN"]) == before + sent
    assert ("still broken" in out) == bool(sent)


def test_it_works_from_a_copied_file_and_a_stopped_guard(place):
    here = place()
    here.record("/voice/bom")
    assert here.guard.terminate() == 0
    copy = here.folder / "copied.db"
    shutil.copy(here.state / "incidents.db", copy)
    command = [str(guards.BINARY), "incidents", "replay", "--open", "--yes", "--db", str(copy), "--to", here.backend]
    done = subprocess.run(command, cwd=here.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "still broken" in done.stdout, done
    assert all(len(line) <= 100 for line in done.stdout.splitlines())
