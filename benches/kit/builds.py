"""Which builds of the guard are measured."""

import hashlib
from pathlib import Path

from . import proxies, setup


def guards(given):
    """Name and path of each build of the guard."""
    found = {}
    for text in given or []:
        name, _, path = text.rpartition("=")
        name = name or ("guard" if len(given) == 1 else Path(path).name)
        if name in found or name in proxies.KINDS or name == "direct":
            raise setup.Failed(f"--guard {text}: the name {name} is taken; write --guard NAME=PATH")
        if not Path(path).is_file():
            raise setup.Failed(f"--guard {text}: there is no such file")
        found[name] = Path(path).resolve()
    return found or {"guard": setup.built(setup.ROOT, "twiml-guard")}


def identity(path):
    """What tells one build from another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
