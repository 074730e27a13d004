"""Checks that run twiml-guard itself: any build of it, and the static one of the image."""

import os
import re
import shutil
import socket
import struct
import tempfile
import tomllib
from contextlib import contextmanager
from pathlib import Path

from kit import DEPLOY, TARGET, TOP, VOICE_FORM, Skipped, ask, expect, run, running, tool
from live import example_app, free_port, is_twiml, wait_until_open

PT_INTERP = 3
_chosen = None


def use(path):
    """Chooses the build that the checks run."""
    global _chosen
    _chosen = Path(path).resolve()


def guard():
    expect(_chosen is not None and os.access(_chosen, os.X_OK), f"there is no program {_chosen}")
    return _chosen


def image_context():
    """The source as the image's build sees it: what .dockerignore lets through, and no more."""
    context = TARGET / "deploy-context"
    wanted = {}
    lines = (DEPLOY / "docker/Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    expect(rules[0] == "*" and all(rule.startswith("!") for rule in rules[1:]), "expected * and then only !path lines")
    for rule in rules[1:]:
        source = TOP / rule[1:]
        for path in [source] if source.is_file() else source.rglob("*"):
            if path.is_file():
                wanted[path.relative_to(TOP)] = path
    for old in [path for path in context.rglob("*") if path.is_file()]:
        if old.relative_to(context) not in wanted:
            old.unlink()
    for relative, path in wanted.items():
        copy = context / relative
        # An unchanged file keeps its time, so that cargo builds only what changed.
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return context


def static_binary_is_built_from_the_image_context():
    if not shutil.which("cargo"):
        raise Skipped("cargo is not installed")
    env = dict(os.environ)
    env.setdefault("CARGO_TARGET_DIR", str(TARGET / "deploy-static"))
    done = run(["deploy/docker/build-static"], cwd=image_context(), env=env, timeout=3600)
    use(done.stdout.strip().splitlines()[-1])


def static_binary_needs_no_loader():
    """No program interpreter in the ELF header: nothing else has to be in the image."""
    data = guard().read_bytes()
    expect(data[:5] == b"\x7fELF\x02", "not a 64-bit ELF program")
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    kinds = [struct.unpack_from("<I", data, offset + index * size)[0] for index in range(count)]
    expect(kinds and PT_INTERP not in kinds, "the program asks for a dynamic loader")


@contextmanager
def empty_root():
    """A root folder with the program alone; gives the command that runs it in there as nobody."""
    if os.geteuid() == 0:
        enter = ["chroot", "--userspec=65532:65532"]
    elif shutil.which("unshare"):
        enter = ["unshare", "--user", "--map-root-user", "chroot"]
    else:
        raise Skipped("changing the root folder needs root or unshare")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(guard(), Path(folder) / "twiml-guard")
        os.chmod(Path(folder) / "twiml-guard", 0o755)
        yield [*enter, folder, "/twiml-guard"]
        expect(os.listdir(folder) == ["twiml-guard"], f"left behind in the root folder: {os.listdir(folder)}")


def static_binary_explains_in_an_empty_root():
    version = tomllib.loads((TOP / "Cargo.toml").read_text())["package"]["version"]
    with empty_root() as command:
        said = run([*command, "--version"]).stdout
        expect(said.strip() == f"twiml-guard {version}", f"--version says {said!r}")
        answer = "HTTP/1.1 500 INTERNAL SERVER ERROR\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" \
                 "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
        said = run([*command, "explain"], input=answer, ok=(1,)).stdout
        expect("html" in said.lower() and re.search(r"\b1[12]\d{3}\b", said), f"explain names neither HTML nor an error code:\n{said}")
        answer = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<Response><Say>Hello</Say></Response>"
        run([*command, "explain"], input=answer, ok=(0,))


@contextmanager
def dead_port():
    """A port that refuses, kept from everybody else meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def serving(command, *arguments, **more):
    """The guard, ready; gives its process, its port and its ops port."""
    port, ops = free_port(), free_port()
    with running([*command, "serve", "--listen", f"127.0.0.1:{port}", "--ops", f"127.0.0.1:{ops}", *arguments], **more) as process:
        wait_until_open(port, process)
        wait_until_open(ops, process)
        yield process, port, ops


def static_binary_answers_for_a_dead_backend_in_an_empty_root():
    with empty_root() as command, dead_port() as dead:
        with serving(command, "--upstream", f"http://127.0.0.1:{dead}") as (process, port, ops):
            status, headers, body = ask(port, "/webhook/incoming_call", VOICE_FORM)
            expect((status, headers.get_content_type()) == (200, "text/xml"), f"{status} {headers}")
            expect(is_twiml(body) and b"<Say" in body, f"no spoken fallback: {body!r}")
            expect(headers["Twiml-Guard-Incident"], f"no incident id in {headers}")
            expect(ask(port, "/", headers={"Accept": "text/html"})[0] in (502, 503, 504), "a browser must get an HTTP error")
            for path in ("/livez", "/readyz"):
                expect(ask(ops, path)[0] == 200, f"{path} must not depend on the backend")
            metrics = ask(ops, "/metrics")[2].decode()
            for line in (r'twiml_guard_answers_total\{outcome="replaced",slot="voice"\} 1', r"twiml_guard_build_info\{.*\} 1"):
                expect(re.search(f"^{line}$", metrics, re.M), f"no {line} in\n{metrics}")
            code = process.stop()
            expect(code == 0, f"exit {code} after SIGTERM:\n{process.output()}")


def metrics_are_clean_and_those_of_the_alerts():
    promtool = tool("promtool", "prometheus")
    texts = [(DEPLOY / name).read_text() for name in ("prometheus/twiml-guard.rules.yml", "grafana/twiml-guard.json", "RUNBOOK.md")]
    names = {re.sub("_bucket$", "", name) for name in re.findall(r"twiml_guard_[a-z_]+", "".join(texts))}
    with dead_port() as dead, serving([guard()], "--upstream", f"http://127.0.0.1:{dead}", "--config",
                                      DEPLOY / "docker-compose/config.toml") as (_, port, ops):
        ask(port, "/voice", VOICE_FORM)
        metrics = ask(ops, "/metrics")[2].decode()
    run([promtool, "check", "metrics"], input=metrics)
    known = set(re.findall(r"^# TYPE (\S+)", metrics, re.M))
    expect(names <= known, f"in rules, dashboard or runbook, but not measured: {sorted(names - known)}")
    ours = {name for name in known if name.startswith("twiml_guard_")}
    expect(ours <= names, f"measured, but told nowhere: {sorted(ours - names)}")


def example_app_is_mended_by_the_guard():
    """The Compose example end to end, with its own configuration: what Twilio gets."""
    with example_app() as app, serving([guard()], "--upstream", f"http://127.0.0.1:{app}", "--config",
                                       DEPLOY / "docker-compose/config.toml") as (process, port, _):
        _, _, original = ask(app, "/webhook/incoming_call", VOICE_FORM)
        status, headers, body = ask(port, "/webhook/incoming_call", VOICE_FORM)
        expect((status, body) == (200, original), f"the healthy answer was changed: {status} {body!r}")
        expect("Twiml-Guard-Incident" not in headers, "the healthy answer was taken for an incident")
        for path, told in (("/webhook/stream_ended", b"<Say"), ("/voice", b"Smith &amp; Sons")):
            status, headers, body = ask(port, path, VOICE_FORM)
            expect((status, headers.get_content_type()) == (200, "text/xml"), f"{path}: {status} {headers}")
            expect(is_twiml(body) and told in body, f"{path}: {told!r} expected in {body!r}\n{process.output()}")
            expect(headers["Twiml-Guard-Incident"], f"{path}: no incident id in {headers}")


def shipped_configurations_are_accepted():
    manifest = (DEPLOY / "kubernetes/configmap.yaml").read_text().partition("config.toml: |\n")[2]
    with tempfile.TemporaryDirectory() as folder:
        embedded = Path(folder) / "config.toml"
        embedded.write_text(re.sub("^    ", "", manifest, flags=re.M))
        for path in (embedded, DEPLOY / "docker-compose/config.toml"):
            run([guard(), "config", "check", "--config", path])


def flags_and_variables_exist():
    """Every `serve` flag and TWIML_GUARD_ variable that the recipes use is one of the program's."""
    texts = [path.read_text() for path in DEPLOY.rglob("*")
             if path.is_file() and "checks" not in path.parts and path.suffix != ".pyc" and path.name != "check"]
    texts.append((DEPLOY / "checks/binary.py").read_text())
    used = set()
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            if re.search(r"twiml-guard['\"\]]?,? serve\b", line):
                used |= set(re.findall(r"(?<!\S)--[a-z-]+", line.partition("serve")[2]))
    shown = run([guard(), "serve", "--help"]).stdout
    flags = set(re.findall(r"--[a-z-]+", shown))
    expect(used and used <= flags, f"unknown flags {sorted(used - flags)}; known: {sorted(flags)}")
    for variable in sorted(set(re.findall(r"TWIML_GUARD_[A-Z]+(?:_[A-Z]+)*", "".join(texts))) - {"TWIML_GUARD_NAME_FILE"}):
        with tempfile.TemporaryDirectory() as folder:
            token = Path(folder) / "token"
            token.touch(0o600)
            token.write_text("0123456789abcdef0123456789abcdef\n")
            value = {"LISTEN": "127.0.0.1:0", "OPS": "off", "UPSTREAM": "http://127.0.0.1:5000", "STATE_DIR": "/nonexistent",
                     "OBSERVE": "true", "OPS_DRAIN": "any", "PUBLIC_URL": "https://pbx.example.com",
                     "AUTH_TOKEN_FILE": str(token)}.get(variable.removeprefix("TWIML_GUARD_"))
            expect(value, f"{variable}: no value known to try it with")
            env = {**os.environ, variable: value}
            printed = run([guard(), "config", "print"], env=env, cwd=folder).stdout
            expect(variable in printed, f"{variable} is not a source of any value in\n{printed}")


STATIC_CHECKS = [
    static_binary_is_built_from_the_image_context,
    static_binary_needs_no_loader,
    static_binary_explains_in_an_empty_root,
    static_binary_answers_for_a_dead_backend_in_an_empty_root,
]
CHECKS = [
    shipped_configurations_are_accepted,
    flags_and_variables_exist,
    metrics_are_clean_and_those_of_the_alerts,
    example_app_is_mended_by_the_guard,
]
