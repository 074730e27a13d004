"""One turn of one proxy: load, system calls, idle connections, start."""

import json
import re
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import proxies
from .setup import Failed, program

# What each kind makes of answers that are not fit; all else is delivered as the backend wrote it.
DELIVERED = {
    "/voice/bom": {"guard": "unmarked", "nginx-lua": "unmarked", "haproxy": "fallback"},
    "/voice/500": {"guard": "fallback", "nginx-lua": "fallback", "haproxy": "fallback"},
}


def paths_for(kind, mix):
    """`--paths` of the load: `mix` is a path, or paths with their weights."""
    mix = mix if isinstance(mix, dict) else {mix: 1}
    return ",".join(f"{path}={DELIVERED.get(path, {}).get(kind, 'same')}*{weight}" for path, weight in mix.items() if weight)


class Loader:
    """Runs the load tool against one proxy (None: straight to the backend)."""

    def __init__(self, tool, backend, cores):
        self.tool, self.backend, self.cores = tool, backend, cores

    def command(self, role, proxy, mix, **options):
        port = proxy.port if proxy else self.backend.port
        command = [self.tool, role, "--target", f"127.0.0.1:{port}", "--paths", paths_for(proxy.kind if proxy else "direct", mix),
                   "--helpers", self.backend.pid]
        if proxy:
            command += ["--pids", ",".join(map(str, proxy.pids()))]
        for name, value in options.items():
            if value is not None and value is not False:
                command += [f"--{name}", "yes" if value is True else value]
        return command

    def run(self, role, proxy, mix, **options):
        """Gives what was measured; a wrong answer is an error."""
        if proxy:
            proxy.settle()
        before = self.backend.counts()
        process = proxies.start(self.command(role, proxy, mix, **options), self.cores, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        measured = self.outcome(process, proxy)
        accepted, answered = (now - then for now, then in zip(self.backend.counts(), before))
        if answered < measured["answers"]:
            raise Failed(f"{proxy.name if proxy else 'nobody'} gave {measured['answers']} answers, and asked the backend only {answered} times")
        measured["backend_connections"] = accepted - 1
        return measured

    @staticmethod
    def outcome(process, proxy):
        """What a load printed; a wrong answer is an error."""
        who = proxy.name if proxy else "the backend"
        try:
            output, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"the load hangs at {who}") from error
        finally:
            proxies.stop(process)
        if process.returncode != 0:
            raise Failed(f"{who} answered wrongly:\n{errors.strip()}\n{proxy.tail() if proxy else ''}")
        if proxy:
            proxy.cut_logs()
        return json.loads(output)

    def held(self, role, proxy, mix, **options):
        """Starts it with both ends in our hands: it says when it is ready, and waits."""
        return proxies.start(self.command(role, proxy, mix, **options), self.cores, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def line_of(process, what):
    """Its next line; what it complains of, if it ends instead."""
    readable, _, _ = select.select([process.stdout], [], [], 120)
    line = process.stdout.readline() if readable else ""
    if not line:
        process.kill()
        raise Failed(f"{what}: {process.stderr.read().strip() or 'no word from the load'}")
    return line.strip()


def prime(loader, proxy):
    """Lets it learn its backend: the guard keeps connections for webhooks once it saw one stay open for a second."""
    loader.run("closed", proxy, "/voice/350", warm=0, seconds=0.3)
    if proxy.kind == "guard":
        time.sleep(1.2)
        loader.run("closed", proxy, "/voice/350", warm=0, seconds=0.3)


def system_calls(loader, proxy, connections, count):
    """Calls per request by name, from strace, over `count` requests on connections that are open already."""
    proxy.settle()
    load = loader.held("closed", proxy, "/voice/350", connections=connections, warm=0.3, waits=True, count=count)
    tracer = None
    try:
        line_of(load, proxy.name)
        table = proxy.folder / "strace"
        pids = proxy.pids()
        command = [program("strace"), "-f", "-c", "-U", "name,calls", "-o", table, *(word for pid in pids for word in ("-p", pid))]
        tracer = proxies.start(command, None, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until_traced(pids, tracer)
        load.stdin.write("\n")
        load.stdin.flush()
        done = json.loads(line_of(load, proxy.name))
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
        calls = {}
        for line in table.read_text().splitlines():
            found = re.match(r"(\w+)\s+(\d+)$", line.strip())
            if found and found[1] != "total":
                calls[found[1]] = int(found[2]) / done["answers"]
        if not calls:
            raise Failed(f"strace saw nothing of {proxy.name}")
        return calls
    finally:
        if tracer:
            proxies.stop(tracer)
        proxies.stop(load)


def wait_until_traced(pids, tracer):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and tracer.poll() is None:
        tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
        if all(re.search(r"^TracerPid:\s+[1-9]", (task / "status").read_text(), re.MULTILINE) for task in tasks):
            return
        time.sleep(0.01)
    raise Failed(f"strace does not attach: {tracer.stderr.read().decode(errors='replace')[-400:] if tracer.poll() is not None else 'time is up'}")


def memory(pids, field="Pss"):
    """Bytes of all these processes, pages shared among processes divided by their number."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(field + ":"):
                total += int(line.split()[1]) * 1024
    return total


def idle_connection(loader, proxy, count):
    """Bytes per idle connection, of a fresh proxy: `count` are opened, ask once each and fall silent."""
    prime(loader, proxy)
    before = memory(proxy.pids())
    load = loader.held("idle", proxy, "/voice/350", connections=count)
    try:
        line_of(load, proxy.name)
        time.sleep(0.3)
        return (memory(proxy.pids()) - before) / count
    finally:
        proxies.stop(load)


REQUEST = (b"POST /voice/350 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 46\r\n"
           b"Connection: close\r\n\r\nCallSid=CA1&AccountSid=AC1&CallStatus=ringing&")


def first_answer(proxy):
    """Milliseconds from the start of the process to its first answer, and bytes resident then; asked as soon as it is made."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection(("127.0.0.1", proxy.port), 5) as stream:
                stream.sendall(REQUEST)
                answer = b""
                while part := stream.recv(65536):
                    answer += part
        except OSError:
            answer = b""
        if answer.startswith(b"HTTP/1.1 200") and b"</Response>" in answer:
            break
        if time.monotonic() > deadline:
            raise Failed(f"{proxy.name} does not answer after its start: {answer[:200]!r}")
        time.sleep(0.0002)
    took = (time.monotonic() - proxy.began) * 1000
    if proxy.kind == "guard" and not (proxy.folder / "state" / "incidents.db").exists():
        raise Failed(f"{proxy.name} answers before its store is open")
    return {"first_ms": took, "resident": memory(proxy.pids(), "Rss"), "proportional": memory(proxy.pids())}
