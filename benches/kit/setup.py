"""What the measurement needs, installed or built; and what it ran on."""

import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHES = ROOT / "benches"
PATHS = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
MODULES = Path("/usr/lib/nginx/modules")
# program or file: Debian package
NEEDED = {"nginx": "nginx", "haproxy": "haproxy", "strace": "strace", str(MODULES / "ngx_http_lua_module.so"): "libnginx-mod-http-lua"}


class Failed(Exception):
    """It can't be measured; the text says why."""


def end_on_signals():
    """Ends as by an error, with a word of why, so that nothing stays behind."""
    def end(number, _):
        raise Failed(f"ended by {signal.Signals(number).name}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def program(name):
    path = shutil.which(name, path=PATHS)
    if path is None:
        raise Failed(f"{name} is not installed")
    return path


def is_there(name):
    return Path(name).exists() if name.startswith("/") else shutil.which(name, path=PATHS) is not None


def install(needed):
    """Installs what is missing of these programs, where this runs as root on Debian."""
    missing = sorted({NEEDED[name] for name in needed if not is_there(name)})
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise Failed(f"these Debian packages are missing and only root can install them with apt-get: {' '.join(missing)}")
    # Run level 1 keeps a package from starting its daemon.
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]):
        tell("$ " + " ".join(command))
        if subprocess.run(command, env=quiet, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode != 0:
            raise Failed(f"{' '.join(command)} failed")


def built(folder, name, target=None):
    """Builds a crate of this repository for release; gives the program's path."""
    target = Path(target or os.environ.get("CARGO_TARGET_DIR") or folder / "target")
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", str(folder / "Cargo.toml"), "--target-dir", str(target)]
    tell("$ " + " ".join(command))
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode != 0:
        raise Failed(f"{name} does not build")
    return target / "release" / name


def load_tool():
    own = os.environ.get("TWIML_GUARD_LOAD")
    return Path(own) if own else built(BENCHES / "load", "twiml-guard-load", Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "load")


def tell(text):
    """Progress, apart from the table."""
    print(text, file=sys.stderr, flush=True)


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return ((done.stdout or done.stderr).strip().splitlines() or ["?"])[0]


def commit():
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def machine():
    """Where and when: the facts without which no figure means anything."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "kernel": platform.release(),
        "cpu": model,
        "cores": os.cpu_count(),
        "commit": commit(),
    }
