"""Makes documents/documents.jsonl: TwiML as Twilio's own Python SDK writes it, one document a line.

    python make_documents.py           writes the file
    python make_documents.py --check   exit code 1 when the file is not what would be written

Each line: name, slot (who asks for such a document), xml. requirements.txt of the end-to-end tests pins the SDK.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

from documents import connecting, flows, messaging, shelf, speech, voice, waiting

OUT = Path(__file__).resolve().parent / "documents" / "documents.jsonl"
SDK = "9.13.0"
MODULES = (speech, voice, connecting, flows, waiting, messaging)


def lines():
    names, texts = set(), set()
    for entry in shelf.DOCUMENTS:
        if entry["name"] in names or (entry["slot"], entry["xml"]) in texts:
            sys.exit(f"{entry['name']} is there twice, by name or by content")
        names.add(entry["name"])
        texts.add((entry["slot"], entry["xml"]))
        yield json.dumps(entry, ensure_ascii=False) + "\n"


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    found = importlib.metadata.version("twilio")
    if found != SDK:
        sys.exit(f"twilio {found} is installed, the documents are made by {SDK}")
    made = "".join(lines())
    if not arguments:
        OUT.write_text(made, encoding="utf-8")
        print(f"{len(shelf.DOCUMENTS)} documents, {OUT.stat().st_size} bytes")
    elif not OUT.exists() or OUT.read_text(encoding="utf-8") != made:
        sys.exit(f"{OUT.name} is not what make_documents.py makes; run it without --check")
    else:
        print(f"{len(shelf.DOCUMENTS)} documents are as made from {len(MODULES)} modules")


if __name__ == "__main__":
    main(sys.argv[1:])
