"""Webhooks are told of outbreaks, whatever they answer; calls never wait for them."""

import json
import os
import subprocess
import time

import pytest

import contract
from guard import BINARY, Guard
from receiver import Receiver
from twilio_side import CALL, call

SECRET = "hush-T000-B000"


def config(receiver, *lines, quiet="1h", routes=0):
    top = f'[incidents]\nquiet_after = "{quiet}"\n'
    own = "".join(f'[[route]]\npath = "/missing/{number}"\nslot = "voice"\n' for number in range(routes))
    return top + own + "\n".join(["[[notify]]", f'url = "{receiver.url("/" + SECRET)}"', *lines]) + "\n"


@pytest.fixture
def start(binary, flask, tmp_path):
    """Starts a guard of its own; afterwards its secret must be nowhere in its log or metrics."""
    running = []

    def begin(text, **env):
        own = {"TWIML_GUARD_STATE_DIR": str(tmp_path / "state"), "NO_PROXY": "127.0.0.1"} | env
        guard = Guard(f"http://127.0.0.1:{flask}", config=text, env=own)
        running.append(guard)
        return guard

    yield begin
    for guard in running:
        metrics = guard.metrics() if guard.process.poll() is None else ""
        guard.close()
        assert SECRET not in "".join(guard.lines) + metrics


def told(guard, outcome):
    return guard.count("notify", outcome=outcome)


def until(check, timeout=30):
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_an_outbreak_is_told_from_its_first_incident_to_its_end(start):
    with Receiver() as hook:
        guard = start(config(hook, quiet="1s"))
        private = CALL | {"From": "+15550104477", "Digits": "778899", "SpeechResult": "open sesame"}
        for _ in range(10):
            assert call(guard.port, "/fault/2/html-500?token=hunter2", private).status == 200
        opened, grew, closed = hook.wait(3)
        texts = [json.loads(post.body)["text"] for post in (opened, grew, closed)]
        assert opened.path == f"/{SECRET}"
        assert opened.headers["content-type"] == "application/json"
        assert texts[0].startswith("Outbreak: html-page on *\n")
        assert "; fix: " in texts[0] and "Twilio 11200" in texts[0] and "1 caller" in texts[0]
        assert texts[1].startswith("Outbreak grew to 10 incidents: html-page on *\n")
        assert texts[2].startswith("Outbreak over")
        number = opened.body.decode().split("twiml-guard incidents show ")[1].split(" ")[0]
        assert guard.incident(number)["cause"] == "html-page"
        everything = b"".join(post.body + str(post.headers).encode() for post in hook.posts)
        for private in (b"5550104477", b"778899", b"sesame", b"hunter2", CALL["CallSid"].encode(), b"Internal Server"):
            assert private not in everything
        until(lambda: told(guard, "sent") == 3)

        call(guard.port, "/fault/2/html-500")
        assert "Outbreak again" in hook.wait(4)[3].body.decode()


def test_a_webhook_that_fails_is_asked_again(start):
    with Receiver((500, {}, 0), (429, {"Retry-After": "1"}, 0)) as hook:
        guard = start(config(hook))
        call(guard.port, "/fault/2/html-500")
        first, second, third = hook.wait(3)
        assert first.body == second.body == third.body
        assert third.at - second.at >= 1
        until(lambda: (told(guard, "sent"), told(guard, "failed")) == (1, 0))
        assert guard.event(lambda event: event.get("reason") == "answered 500" and event["level"] == "WARN")
        assert guard.event(lambda event: event.get("message") == "messages are posted again")


def test_a_webhook_that_refuses_is_not_and_the_next_message_tells(start):
    with Receiver((404, {}, 0)) as hook:
        guard = start(config(hook, routes=2))
        call(guard.port, "/missing/0")
        until(lambda: told(guard, "failed") == 1)
        call(guard.port, "/missing/1")
        text = json.loads(hook.wait(2)[1].body)["text"]
        assert "/missing/1" in text and "1 other message held back or lost" in text
        assert guard.event(lambda event: event.get("reason") == "refused with 404")


def test_redirects_are_not_followed(start):
    with Receiver() as elsewhere, Receiver((307, {"Location": elsewhere.url("/leak")}, 0)) as hook:
        guard = start(config(hook))
        call(guard.port, "/fault/2/html-500")
        until(lambda: told(guard, "failed") == 1)
        assert elsewhere.posts == []
        assert "redirected" in guard.event(lambda event: event.get("notify") == 1)["reason"]


def test_a_webhook_that_never_answers_holds_up_neither_calls_nor_the_end(start):
    with Receiver((200, {}, 60)) as hook:
        guard = start(config(hook, 'timeout = "60s"'))
        begun = time.monotonic()
        for _ in range(20):
            contract.assert_outcome(call(guard.port, "/fault/2/html-500"), "replaced")
        hook.wait(1)
        assert guard.terminate() == 0
        assert time.monotonic() - begun < 30


def test_an_attempt_has_its_time(start):
    with Receiver((200, {}, 5)) as hook:
        guard = start(config(hook, 'timeout = "200ms"'))
        call(guard.port, "/fault/2/html-500")
        hook.wait(2)
        assert guard.event(lambda event: event.get("notify") == 1)["reason"] == "no answer within 200ms"


def test_what_twilio_accepts_all_the_same_is_told_on_request_only(start):
    with Receiver() as hook, Receiver() as curious:
        guard = start(config(hook) + f'[[notify]]\nurl = "{curious.url("/" + SECRET)}"\nwarnings = true\n')
        call(guard.port, "/fault/1/html")
        assert "content-type-html" in curious.wait(1)[0].body.decode()
        call(guard.port, "/fault/2/html-500")
        assert "html-page" in hook.wait(1)[0].body.decode()
        changes = {(labels["level"], labels["change"]): value for name, labels, value in guard.samples() if name == "twiml_guard_outbreak_changes_total"}
        assert (changes["fault", "opened"], changes["warning", "opened"]) == (1, 1)


def test_a_flood_is_cut(start):
    with Receiver() as hook:
        guard = start(config(hook, "per_minute = 3", routes=30))
        for number in range(30):
            call(guard.port, f"/missing/{number}")
        hook.wait(3)
        until(lambda: told(guard, "held") >= 26)
        assert (told(guard, "sent"), len(hook.posts)) == (3, 3)


def test_what_waits_is_posted_before_the_end(start):
    with Receiver() as hook:
        guard = start(config(hook))
        call(guard.port, "/fault/2/html-500")
        assert guard.terminate() == 0
        assert len(hook.posts) == 1


def test_one_that_hangs_takes_no_time_from_the_others_at_the_end(start):
    with Receiver((200, {}, 60)) as hung, Receiver() as hook, Receiver() as collector:
        text = config(hung, 'timeout = "60s"') + f'[[notify]]\nurl = "{hook.url("/" + SECRET)}"\n'
        guard = start(text, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=collector.url("/v1/logs"), OTEL_BLRP_SCHEDULE_DELAY="3600000")
        call(guard.port, "/fault/2/html-500")
        hung.wait(1)
        assert guard.terminate() == 0
        assert (len(hook.posts), len(collector.posts)) == (1, 1)


def test_a_template_a_file_and_only_some_changes(start, tmp_path):
    with Receiver() as hook, Receiver() as plain:
        (tmp_path / "hook.url").write_text(hook.url(f"/{SECRET}") + "\n")
        guard = start(f"""
[[notify]]
url_file = "{tmp_path / 'hook.url'}"
template = '{{"event": "{{{{change}}}}", "n": {{{{count}}}}, "of": ["{{{{cause}}}}", "{{{{route}}}}"]}}'
on = ["grew"]
[[notify]]
url = "{plain.url('/' + SECRET)}"
format = "json"
""")
        for _ in range(10):
            call(guard.port, "/fault/2/html-500")
        assert json.loads(hook.wait(1)[0].body) == {"event": "grew", "n": 10, "of": ["html-page", "*"]}
        opened = json.loads(plain.wait(1)[0].body)
        assert (opened["change"], opened["outbreak"]["count"], opened["outbreak"]["open"]) == ("opened", 1, True)
        assert len(hook.posts) == 1


def test_the_systems_certificates_are_trusted(start, certificate):
    with Receiver(certificate=certificate) as hook:
        guard = start(config(hook), SSL_CERT_FILE=str(certificate[0]))
        call(guard.port, "/fault/2/html-500")
        assert hook.wait(1)[0].path == f"/{SECRET}"


def test_webhooks_can_be_tried(binary, tmp_path):
    with Receiver() as fine, Receiver((403, {}, 0)) as refusing:
        path = tmp_path / "config.toml"
        path.write_text(config(fine) + f'[[notify]]\nurl = "{refusing.url("/" + SECRET)}"\n')
        env = {**os.environ, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run([str(BINARY), "notify", "test"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout == "[[notify]] 1: posted\n[[notify]] 2: not posted: refused with 403\n"
        assert "nothing is wrong" in json.loads(fine.posts[0].body)["text"]
        path.write_text("")
        done = subprocess.run([str(BINARY), "notify", "test"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1 and "[[notify]]" in done.stderr


def test_the_url_is_shown_nowhere(binary, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(f'[[notify]]\nurl = "https://hooks.example.com/{SECRET}"\n')
    done = subprocess.run([str(BINARY), "config", "print"], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=True)
    assert "[[notify]]" in done.stdout and SECRET not in done.stdout
    path.write_text(f'[[notify]]\nurl = "hooks.example.com/{SECRET}"\n')
    done = subprocess.run([str(BINARY), "config", "check"], cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and "https://" in done.stderr and SECRET not in done.stdout + done.stderr
