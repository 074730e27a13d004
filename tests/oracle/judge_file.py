"""Judges many documents: NDJSON on standard input, one `{"name", "content_type", "body_base64"}` a line.

Exit code 0: both parsers take all of them. 1: some are refused; each is named on standard error with its reason.
2: the input is not as described, or there was none.
"""

import base64
import binascii
import json
import sys

from oracle import accepts


def main():
    judged, refused = 0, 0
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, content_type = entry["name"], entry["content_type"]
            body = base64.b64decode(entry["body_base64"], validate=True)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            print(f"line {number}: expected name, content_type and body_base64 as JSON: {error!r}", file=sys.stderr)
            return 2
        judged += 1
        accepted, why = accepts(body, content_type)
        if not accepted:
            refused += 1
            print(f"{name}: {why}", file=sys.stderr)
    if judged == 0:
        print("no document on standard input", file=sys.stderr)
        return 2
    print(f"accepted {judged - refused} of {judged}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
