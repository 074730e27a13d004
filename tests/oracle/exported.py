"""Holds the exported tests' own check against many answers: NDJSON on standard input, one answer a line with `is_good`.

    exported.py [UNSEEN …]

Exit code 0: the check takes every good one and refuses every other, but for the unseen ones. 1: it
does not; each is named on standard error. 2: there was no input.
"""

import base64
import importlib.util
import json
import sys
from pathlib import Path

FIXTURE = Path(__file__).resolve().parents[2] / "src" / "cli" / "incidents" / "export" / "fixture.py"


def main():
    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("fixture", FIXTURE)
    fixture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixture)
    unseen, checked, wrong = set(sys.argv[1:]), 0, []
    for line in sys.stdin:
        entry = json.loads(line)
        answer = fixture.Answer(entry["status"], entry["headers"], base64.b64decode(entry["body_base64"]))
        fixture.ELEMENTS = set(entry["grammar"]["elements"])
        fixture.ATTRIBUTES = set(entry["grammar"]["attributes"])
        found = fixture.problems(entry, answer)
        checked += 1
        if found and entry["name"] in unseen:
            wrong.append(f"{entry['name']}: is seen by now")
        if entry["is_good"] and found:
            wrong.append(f"{entry['name']}: good, but {found}")
        if not entry["is_good"] and not found and entry["name"] not in unseen:
            wrong.append(f"{entry['name']}: not good ({', '.join(entry['causes'])}), but nothing is found")
    print("\n".join(wrong), file=sys.stderr)
    print(f"{checked} answers, {len(wrong)} told wrongly")
    return 2 if checked == 0 else 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
