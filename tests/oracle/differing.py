"""Where the guard's judge and the parsers that are not ours come to different ends (see `differential`)."""

import re
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass

from lxml import etree

from documents import CUTS, TAGS, Document
from minimise import minimised_bytes
from oracle import TYPES, media_type, refusal, xerces

CHECKS = ("fit", "harm", "meaning")
# Causes for which a document is changed or replaced though both parsers take it, each with its reason.
REASONS = {
    "charset-doubled": "text that was encoded twice is read as it was meant",
    "content-type-html": "the contract types TwiML as XML",
    "content-type-malformed": "how Twilio reads a header that is not of the form of RFC 9110 is not known",
    "letter-case": "Twilio knows verbs and attributes in one spelling only",
    "link-malformed": "Twilio can't call the URL",
    "own-host-double-slash": "Twilio would call another path",
    "own-host-without-scheme": "Twilio would call another host",
    "placeholder-unfilled": "a template was not filled in",
    "root-doubled": "the root holds the whole document once more, and the caller would hear nothing",
    "scheme-doubled": "Twilio can't call the URL",
    "stream-scheme-wrong": "Twilio streams over wss: only",
    "track-refused": "Twilio refuses the value (31941)",
    "wrapped-escaped": "the root holds its verbs as text, and the caller would hear nothing",
    "wrapped-in-cdata": "the root holds its verbs as text, and the caller would hear nothing",
    "twiml-too-large": "Twilio reads 64 kB",
}
# Causes that change how the characters are encoded and labelled, never which they are.
ENCODING = {"byte-order-mark", "charset-label-untrue", "charset-not-utf8", "content-type-html", "content-type-missing", "content-type-wrong", "declaration-untrue"}
# Labels that are left as they are. Which others Twilio's Java knows is not known, so UTF-8 takes their place.
REGISTERED = re.compile(r"utf-8|us-ascii|iso-8859-([1-9]|13|15)|windows-125[0-8]", re.IGNORECASE)
# What libxml2 refuses and Xerces, which decides at Twilio, takes: both are right.
LIBXML2_ALONE = {
    "is not a valid URI": "Namespaces in XML leaves it open whether a namespace name that is no URI is an error",
}
# What both parsers take and we do not.
FORBIDDEN = (
    re.compile(rb"[</?\s]:|<\?[^\s?]+:"),  # a colon that begins a name, or in an instruction's: Namespaces in XML forbids it, as does the conformance suite
    re.compile(rb"version\s*=\s*[\"']1\.1"),  # more characters make names in XML 1.1; we read by 1.0
)
# Encodings of which every decoder has the same idea; Latin-1 and Latin-5 are read as their windows kin, as the web does.
KNOWN = re.compile(r"utf-16|iso-8859-[2-8]|iso-8859-1[35]|windows-125[0-8]", re.IGNORECASE)
# One of a kind is made small and shown; so many kinds at most.
MOST_SHOWN = 12


@dataclass(frozen=True)
class Judgement:
    verdict: str
    findings: tuple
    delivery: Document

    def repairs(self):
        return {slug for slug, grade in self.findings if grade}


class Judge:
    """The guard's judge in one process, asked one answer after the other."""

    def __init__(self, program):
        try:
            self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except FileNotFoundError as error:
            raise SystemExit(f"{program} is missing: cargo build --example judge") from error

    def ask(self, document):
        try:
            for part in (document.content_type.encode("latin-1"), document.body):
                self.process.stdin.write(struct.pack(">I", len(part)) + part)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # what is read next says with which exit code
        verdict, findings, content_type, body = (self.block() for _ in range(4))
        pairs = tuple(tuple(line.split(" ", 1)) for line in findings.decode().split("\n") if line)
        return Judgement(verdict.decode(), pairs, Document(content_type.decode("latin-1"), body))

    def block(self):
        return self.read(struct.unpack(">I", self.read(4))[0])

    def read(self, length):
        data = self.process.stdout.read(length)
        if len(data) < length:
            raise RuntimeError(f"the judge died with exit code {self.process.wait()}")
        return data


def canonical(body):
    """What libxml2 reads in bytes whose encoding is as declared; None where it refuses them."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None
    tree = root.getroottree()
    return None if tree.docinfo.doctype else etree.tostring(tree, encoding="unicode")


def unfit(judgement):
    """Why what leaves as TwiML is none, or None."""
    if media_type(judgement.delivery.content_type)[0] not in TYPES:
        return None  # prose or sound
    why = refusal(judgement.delivery.body, judgement.delivery.content_type)
    if why is not None and why.startswith("libxml2:") and any(words in why for words in LIBXML2_ALONE):
        return xerces(judgement.delivery.body, media_type(judgement.delivery.content_type)[1] or "utf-8")
    return why


def labels(document):
    """The charset of the header and the encoding of the declaration, as far as they are there."""
    declared = re.search(rb"<\?xml[^>]*encoding\s*=\s*[\"']([^\"']*)", document.body)
    named = [media_type(document.content_type)[1], declared and declared[1].decode("latin-1")]
    return [label for label in named if label]


def harmed(document, judgement):
    """Why a document that was good did not stay as it was, or None."""
    if judgement.verdict == "untouched":
        return None
    slugs = [slug for slug, grade in judgement.findings if grade or judgement.verdict == "replaced"]
    if any(slug in REASONS for slug in slugs) or refusal(document.body, document.content_type) is not None:
        return None
    if any(pattern.search(document.body) for pattern in FORBIDDEN):
        return None
    if set(slugs) <= {"charset-label-untrue", "declaration-untrue"} and not all(REGISTERED.fullmatch(label) for label in labels(document)):
        return None
    return f"{judgement.verdict} for {', '.join(slugs) or 'nothing'}"


def changed(document, judgement):
    """How a document whose encoding alone was changed is another one now, or None."""
    repairs = judgement.repairs()
    _, charset = media_type(document.content_type)
    if judgement.verdict != "repaired" or not repairs <= ENCODING or "charset-not-utf8" not in repairs or charset:
        return None
    if not all(KNOWN.fullmatch(label) for label in labels(document)):
        return None
    before = canonical(document.body)
    if before is None or before == canonical(judgement.delivery.body):
        return None
    return f"it was {before!r}"


def difference(judge, document):
    """Which check a document breaks, and how; None where all agree."""
    judgement = judge.ask(document)
    for check, why in (("fit", unfit(judgement)), ("harm", harmed(document, judgement)), ("meaning", changed(document, judgement))):
        if why is not None:
            return check, why
    return None


def kind(found):
    """What stays of a difference when its document gets smaller: the check and the words of the reason."""
    check, why = found
    words = re.sub(r"\"[^\"]*\"|'[^']*'|&#?\w*;?|[\d:.]+", "", why)
    return check, check if check == "meaning" else " ".join(words.split())[:60]


def small(judge, document, found):
    """The smallest answer that fails in the same way."""
    def fails(content_type, body):
        other = difference(judge, Document(content_type, body))
        return other is not None and kind(other) == kind(found)

    content_type, body = document.content_type, document.body
    for simpler in ("text/xml", "text/xml; charset=utf-8"):
        if fails(simpler, body):
            content_type = simpler
            break
    for codec in ("utf-16-le", "utf-16-be"):
        as_utf8 = body.decode(codec, "replace").encode("utf-8", "replace")
        if fails(content_type, as_utf8):
            body = as_utf8
            break
    body = minimised_bytes(body, lambda smaller: fails(content_type, smaller), (TAGS, CUTS))
    return Document(content_type, body)


def described(judge, document):
    judgement = judge.ask(document)
    found = difference(judge, document)
    return "\n".join([
        f"  answer     {document.content_type!r} {document.body!r}",
        f"  readers    {refusal(document.body, document.content_type) or 'take it'}",
        f"  guard      {judgement.verdict}: {', '.join(' '.join(pair).strip() for pair in judgement.findings) or 'no finding'}",
        f"  delivered  {judgement.delivery.content_type!r} {judgement.delivery.body!r}",
        f"  readers    {unfit(judgement) or 'take it'}",
        f"  {found[0]} is broken: {found[1]}" if found else "  all agree",
    ])


class Tally:
    """What came of the documents that were added; prints each kind of difference once, made small."""

    def __init__(self):
        self.verdicts, self.broken = Counter(), Counter()

    def add(self, judge, document, name):
        try:
            judgement = judge.ask(document)
        except RuntimeError as died:
            raise SystemExit(f"{name}: {died}, asked for {document}") from died
        self.verdicts[judgement.verdict] += 1
        found = difference(judge, document)
        if found is None:
            return
        self.broken[kind(found)] += 1
        if self.broken[kind(found)] == 1 and len(self.broken) <= MOST_SHOWN:
            print(f"{name}\n{described(judge, small(judge, document, found))}", flush=True)

    def failed(self):
        return {check for check, _ in self.broken}

    def summary(self):
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.verdicts.items()))
        lines = [f"{self.verdicts.total()} documents: {counts}"]
        lines += [f"{count} times {check} is broken: {words}" for (check, words), count in self.broken.most_common()]
        return "\n".join(lines)
