"""Captures pages: `python -m capture [RIG …]`, run in tests/data/pages with the virtual environment of
requirements.txt. Rigs whose program is missing are named and skipped; their pages stay as they are."""

import json
import sys
from pathlib import Path

from . import apps_node, apps_other, apps_php, apps_python, handwritten, servers
from .stage import Missing, Stage, write_manifest

HERE = Path(__file__).resolve().parent.parent
RIGS = {**servers.RIGS, **apps_python.RIGS, **apps_php.RIGS, **apps_node.RIGS, **apps_other.RIGS, **handwritten.RIGS}


def main(names):
    unknown = set(names) - set(RIGS)
    if unknown:
        sys.exit(f"unknown rigs {sorted(unknown)}; there are {sorted(RIGS)}")
    manifest = HERE / "manifest.json"
    known = {page["name"]: page for page in json.loads(manifest.read_text())} if manifest.exists() else {}
    stage = Stage(HERE)
    failed = []
    try:
        for name in names or RIGS:
            try:
                RIGS[name](stage)
            except Missing as missing:
                print(f"{name}: skipped, {missing} is not installed", file=sys.stderr)
            except (OSError, RuntimeError, ValueError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed.append(name)
            finally:
                stage.clear()
    finally:
        stage.close()
    known.update({page["name"]: page for page in stage.pages})
    write_manifest(manifest, known.values())
    sys.exit(f"failed: {failed}" if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
