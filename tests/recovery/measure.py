"""What became of spoilt answers: accepted, untouched, recovered, or replaced."""

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "oracle"))

import faults  # noqa: E402
import wire  # noqa: E402
from oracle import accepts  # noqa: E402

LEAST_RECOVERED = 0.98
# Nothing that any of these would answer with is a document of a class.
BROKEN = faults.Answer(b"<h1>Internal Server Error</h1>", "text/html", 500)


def documents():
    with open(ROOT / "tests" / "data" / "documents" / "documents.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@dataclass
class Sample:
    fault: faults.Fault
    document: dict
    answer: faults.Answer
    path: str


def samples(every=1):
    made = []
    for fault in faults.CLASSES:
        for number, document in enumerate(documents()):
            if number % every == 0 and (answer := fault.spoil(document)) is not None:
                made.append(Sample(fault, document, answer, f"/{document['slot']}/{len(made)}"))
    return made


def canonical(xml):
    try:
        root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError):
        return None
    return etree.tostring(root, method="c14n", with_comments=False)


class Figures:
    """Counts of one class; `examples` has one line on each sample that missed what its class asks for."""

    def __init__(self):
        self.count = self.accepted = self.untouched = self.kept = self.recovered = self.executed = 0
        self.examples = []

    def missed(self, kind):
        wrong = self.accepted < self.count
        if kind == faults.UNTOUCHED:
            return wrong or self.untouched < self.count
        if kind == faults.MEND:
            return wrong or self.recovered < LEAST_RECOVERED * self.count
        return wrong or (kind == faults.TRAP and self.executed > 0)


def measure(proxy, every=1):
    """{class name: Figures} through `proxy` (a class of `wire`), or of the backend alone for None."""
    chosen = samples(every)
    answers = {sample.path: sample.answer.raw() for sample in chosen}
    answers |= {f"/{slot}/broken": BROKEN.raw() for slot in wire.SLOTS}
    backend = wire.Backend(answers)
    try:
        if proxy is None:
            replies, fallbacks = ask(backend.port, chosen)
        else:
            with proxy(backend.port) as running:
                replies, fallbacks = ask(running.port, chosen)
    finally:
        backend.close()
    table = defaultdict(Figures)
    for sample, reply in zip(chosen, replies, strict=True):
        weigh(table[sample.fault.name], sample, reply, fallbacks)
    return dict(table)


def ask(port, chosen):
    replies = wire.ask_all(port, [sample.path for sample in chosen])
    broken = wire.ask_all(port, [f"/{slot}/broken" for slot in wire.SLOTS])
    return replies, {slot: reply[2] for slot, reply in zip(wire.SLOTS, broken, strict=True)}


def weigh(figures, sample, reply, fallbacks):
    status, headers, body, complete = reply
    types = [value for name, value in headers if name == "content-type"]
    coded = any(name == "content-encoding" for name, _ in headers)
    original = sample.document["xml"].encode()
    if sample.answer.is_twiml:
        accepted, why = accepts(body, types[0]) if types else (False, "no Content-Type")
        if status != 200 or coded or not complete or len(types) != 1:
            accepted, why = False, f"status {status}, complete {complete}, coded {coded}, types {types}"
    else:
        accepted, why = status == 200 and types == [sample.answer.content_type] and bool(body), f"{status} {types}"
    replaced = body == fallbacks[sample.document["slot"]]
    same = body == sample.answer.body and types == [sample.answer.content_type] and status == sample.answer.status
    survived = accepted and canonical(body) == canonical(original)
    # A document that is what would stand in its place tells nothing apart.
    executed = accepted and not replaced and canonical(fallbacks[sample.document["slot"]]) != canonical(original)

    figures.count += 1
    figures.accepted += accepted
    figures.untouched += same
    figures.kept += accepted and body == sample.answer.body
    figures.recovered += survived
    figures.executed += executed
    wanted = {faults.UNTOUCHED: same, faults.MEND: survived, faults.WANTING: survived, faults.OPEN: True, faults.TRAP: not executed}[sample.fault.kind]
    if not (accepted and wanted):
        figures.examples.append(f"{sample.document['name']} ({sample.document['slot']}): {why or ('replaced' if replaced else 'changed')}\n"
                                f"    said {sample.answer.body[:300]!r}\n    left {body[:300]!r}")
