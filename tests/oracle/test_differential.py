"""The differential test's own parts: the same documents each time, the smallest one that fails, and what counts as a difference."""

import hashlib
import random

import pytest

import differing
import documents
import minimise
from documents import CUTS, TAGS, Document
from oracle import refusal

GOOD = Document("text/xml", b"<Response><Say>Hi</Say></Response>")
FALLBACK = Document("text/xml; charset=utf-8", b"<Response/>")


# Documents


def digest(seed, count=200):
    made = [documents.make(seed, number) for number in range(count)]
    return hashlib.sha256(repr(made).encode()).hexdigest()


def test_a_seed_gives_the_same_documents_whatever_was_made_before():
    random.seed(5)
    first = digest(7)
    random.random()
    assert digest(7) == first != digest(8)
    assert documents.make(7, 31) == [documents.make(7, number) for number in range(40)][31]


def test_documents_are_of_every_sort():
    made = [documents.make(1, number) for number in range(1500)]
    good = [document for document in made if refusal(document.body, document.content_type) is None]
    assert 150 < len(good) < 1200
    bodies = b"".join(document.body for document in made)
    for piece in (b"<![CDATA[", b"<!--", b"<?pi", b"xmlns:a", b"xmlns:xml", b"standalone", b"&#x", b"\xff\xfe<\0", b"\xfe\xff\0<", b"\xef\xbb\xbf", b"windows-1255", b"\r\n", b"<!DOCTYPE"):
        assert piece in bodies, piece
    assert len({document.content_type for document in made}) > 100
    assert len({document.body for document in made}) > 1300
    assert all(len(document.body) <= 65536 for document in made)


@pytest.mark.parametrize("pattern", [CUTS, TAGS])
def test_pieces_lose_nothing(pattern):
    for number in range(300):
        body = documents.make(2, number).body
        assert b"".join(pattern.findall(body)) == body


# Minimiser


def test_of_a_long_list_the_two_that_matter_are_left():
    asked = []

    def fails(pieces):
        asked.append(len(pieces))
        return 13 in pieces and 77 in pieces

    assert minimise.minimised(list(range(100)), fails) == [13, 77]
    assert len(asked) < 300


def test_nothing_more_can_be_taken_away():
    def fails(body):
        return body.count(b"<") >= 2 and b"&" in body

    small = minimise.minimised_bytes(b"<Response><Say>a & b</Say></Response>", fails, (TAGS, CUTS))
    assert fails(small)
    assert not any(fails(small[:at] + small[at + 1:]) for at in range(len(small)))
    assert len(small) == 3


def test_what_is_small_already_stays():
    assert minimise.minimised([1], lambda pieces: True) == [1]
    assert minimise.minimised([1, 2], lambda pieces: len(pieces) == 2) == [1, 2]
    assert minimise.minimised_bytes(b"", lambda body: True, (CUTS,)) == b""


# Differences


class Stub:
    """A judge that says what it is told to; it sees a fault only where `sees` does."""

    def __init__(self, sees=lambda body: False, verdict="replaced", findings=(("not-well-formed", ""),), delivery=FALLBACK):
        self.sees, self.answer = sees, differing.Judgement(verdict, findings, delivery)

    def ask(self, document):
        return self.answer if self.sees(document.body) else differing.Judgement("untouched", (), document)


def test_a_judge_that_passes_what_a_parser_refuses_is_found_and_the_document_made_small():
    document = Document("text/xml; charset=utf-8", b"<Response><Say voice='alice'>Hi</Say><!-- c --><Say>a &nbsp; b</Say></Response>")
    found = differing.difference(Stub(), document)
    assert found[0] == "fit" and "nbsp" in found[1]
    small = differing.small(Stub(), document, found)
    assert small.content_type == "text/xml"
    assert b"&" in small.body and len(small.body) < 30
    assert differing.kind(differing.difference(Stub(), small)) == differing.kind(found)


def test_a_document_in_utf_16_is_shown_in_utf_8_where_that_fails_as_well():
    delivery = Document("text/xml; charset=utf-8", b"<Response>&</Response>")
    judge = Stub(lambda body: b"&" in body, "repaired", (), delivery)
    document = Document("text/xml; charset=UTF-16", "<Response>a & b</Response>".encode("utf-16-le"))
    found = differing.difference(judge, document)
    assert found[0] == "fit"
    assert b"\0" not in differing.small(judge, document, found).body


def test_a_judge_that_replaces_what_both_take_is_found():
    judge = Stub(lambda body: b"Hi" in body)
    assert differing.difference(judge, GOOD) == ("harm", "replaced for not-well-formed")
    assert differing.difference(judge, Document("text/xml", b"<Response><Say>Hi</Response>")) is None
    reason = Stub(lambda body: True, "repaired", (("letter-case", "inferred"),))
    assert differing.difference(reason, GOOD) is None


def test_a_judge_that_changes_what_was_said_is_found():
    document = Document("text/xml", "<?xml version='1.0' encoding='iso-8859-8'?><Response>שלום</Response>".encode("iso-8859-8"))
    repaired = (("charset-not-utf8", "lossless"), ("declaration-untrue", "lossless"))
    same = Document("text/xml; charset=utf-8", "<?xml version='1.0' encoding='UTF-8'?><Response>שלום</Response>".encode())
    other = Document("text/xml; charset=utf-8", "<Response>ùìåí</Response>".encode())
    assert differing.difference(Stub(lambda body: True, "repaired", repaired, same), document) is None
    assert differing.difference(Stub(lambda body: True, "repaired", repaired, other), document)[0] == "meaning"


def test_only_what_libxml2_alone_refuses_for_a_listed_reason_passes():
    assert differing.difference(Stub(), Document("text/xml", b'<Response xmlns:b=":"/>')) is None
    assert differing.difference(Stub(), Document("text/xml", b'<Response xmlns:b=":">&</Response>'))[0] == "fit"


def test_each_kind_of_difference_is_shown_once(capsys):
    tally = differing.Tally()
    for number in range(3):
        tally.add(Stub(), Document("text/xml", b"<Response>%d & </Response>" % number), f"--only {number}")
    shown = capsys.readouterr().out
    assert "--only 0" in shown and "--only 1" not in shown
    assert tally.failed() == {"fit"} and "3 times fit is broken" in tally.summary()


def test_a_judge_that_dies_is_no_agreement():
    judge = differing.Judge("false")
    with pytest.raises(SystemExit, match="--only 9: the judge died with exit code 1, asked for Document"):
        differing.Tally().add(judge, GOOD, "--only 9")
