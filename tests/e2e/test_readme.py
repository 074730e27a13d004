"""Every command of the README, run as it stands there; only the ports are free ones, and what runs until Ctrl-C is ended."""

import re
import signal
import socket
import subprocess
import time

import guard as guards

FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def shell(command, **more):
    return subprocess.run(command, shell=True, cwd=guards.ROOT, text=True, capture_output=True, timeout=900, check=False, **more)


def until(command, mark, seconds):
    """Starts a command, gives it once `mark` is in its output."""
    # exec: the signal that ends it must reach the program, not a shell before it.
    process = subprocess.Popen("exec " + command, shell=True, cwd=guards.ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    said = []
    deadline = time.monotonic() + seconds
    for line in process.stdout:
        said.append(line)
        if mark in line:
            return process
        if time.monotonic() > deadline:
            break
    process.kill()
    raise AssertionError(f"`{mark}` was not said: {''.join(said)[-2000:]}")


def end(process):
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    return process.returncode


def test_every_command_of_the_readme_runs(flask):
    commands = [line for block in FENCE.findall((guards.ROOT / "README.md").read_text()) for line in block.splitlines()]
    ports = {"127.0.0.1:8080": f"127.0.0.1:{free_port()}", "127.0.0.1:5000": f"127.0.0.1:{flask}"}
    ran, serving = [], None
    for command in commands:
        for written, real in ports.items():
            command = command.replace(written, real)
        if command == "tests/run":
            pass  # it is what runs this test
        elif command.startswith("cargo run --release -- demo"):
            assert end(until(command, "Twilio accepts every one", 900)) == 0, command
        elif " serve " in command:
            serving = until(f"{command} --ops off", "listening", 60)
        elif command.startswith("curl -i "):
            answer = shell(command)
            assert answer.returncode == 0 and "200 OK" in answer.stdout and "text/xml" in answer.stdout, answer
        elif command.endswith(" explain"):
            explained = shell(command)
            assert explained.returncode in (0, 1) and explained.stdout.strip(), explained
        else:
            done = shell(command)
            assert done.returncode == 0, (command, done.stderr)
        ran.append(command)
    assert serving is not None and end(serving) == 0
    assert len(ran) >= 9
