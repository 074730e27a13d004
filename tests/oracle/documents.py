"""Documents that are TwiML, nearly TwiML, or were: written by a grammar, then spoilt.

    make(seed, number) -> Document(content_type, body)

The same seed and number give the same document, here and on every machine. A document's `wild` share decides how often the
grammar takes what XML forbids, or what only some readers bear, in place of what all of them take; one in five is one that
Twilio's SDK made, under such a prolog. One in three, of the SDK's nearly all, is spoilt afterwards, byte by byte, token by token
or tag by tag.
"""

import base64
import codecs
import html
import json
import random
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

HEBREW = "שלום"
# The edges of Char, of the names of XML's fourth and fifth edition, and of what readers take for a blank or a line's end.
EDGES = [0x0, 0x1, 0x8, 0x9, 0xA, 0xB, 0xC, 0xD, 0x1F, 0x20, 0x7E, 0x7F, 0x80, 0x84, 0x85, 0x9F, 0xA0, 0xAD, 0xB7, 0xC0, 0xD7, 0xF7, 0x131, 0x132, 0x217,
         0x218, 0x2D0, 0x2FF, 0x300, 0x345, 0x346, 0x370, 0x37E, 0x386, 0x387, 0x5B0, 0x5D0, 0x5EA, 0x5F0, 0x640, 0x660, 0x6DD, 0x93C, 0xE31, 0x10FB,
         0x1E9B, 0x1E9C, 0x2000, 0x200B, 0x200C, 0x200D, 0x200E, 0x2028, 0x2029, 0x202E, 0x203F, 0x2070, 0x20D0, 0x20DD, 0x212E, 0x2180, 0x2C00, 0x3005,
         0x3007, 0x3099, 0x9FA5, 0x9FA6, 0xA000, 0xD7A3, 0xD7A4, 0xD7FF, 0xE000, 0xF8FF, 0xF900, 0xFDCF, 0xFDD0, 0xFEFF, 0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF,
         0x10000, 0x1F600, 0x1FFFF, 0xEFFFF, 0xF0000, 0x10FFFD, 0x10FFFE, 0x10FFFF, 0x110000, 0xD800, 0xDFFF, 0xFFFFFFFF, 0x100000041]
VERBS = ["Say", "Play", "Pause", "Gather", "Dial", "Number", "Redirect", "Hangup", "Record", "Reject", "Enqueue", "Connect", "Stream", "Parameter"]
ATTRIBUTES = ["voice", "language", "loop", "action", "method", "timeout", "numDigits", "url", "name", "value", "track", "xml:lang", "xml:space", "id"]
VALUES = ["", "1", "alice", "/next?a=1&amp;b=2", "https://example.com/x", "wss://example.com/s", HEBREW, "&lt;", "&#65;", "a\tb\nc", " x ", "a'b", "both_tracks"]
TEXTS = ["Hello", " ", "\n  ", HEBREW, "a &amp; b", "&#x5d0;", "&lt;Say&gt;", "1 &#60; 2", "+15550100001", "https://example.com/a?b=1&amp;c=2", "]]", "é", "ø ü", "\U0001f600", "a > b", "]]&gt;"]
ODD_TEXTS = ["]]>", "&", "& ", "&nbsp;", "&amp", "&;", "&#;", "&#x;", "&#xZ;", "&#X41;", "&#-1;", "&# 65;", "&#6 5;", "<", "< ", "<3", "\x00", "\x0b", "\x1b", "\x85", "\u2028",
             "&LT;", "&a:b;", "&apos;", "&quot;", "%", "&#" + "0" * 80 + "65;", "&#x" + "0" * 70 + "41;", "&#" + "9" * 40 + ";"]
URIS = ["urn:x", "http://example.com/ns", "x", "", " ", "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/", "urn:&#120;", "urn:x&#x20;", "urn: x", " urn:x",
        "urn:x\n", "http://www.w3.org/XML/1998/namespac&#101;", "http://www.w3.org/XML/1998/Namespace", "urn:&amp;", "%zz", "http://[", "urn:é", "&#9;"]
PREFIXES = ["a", "b", "xml", "xmlns", "XML", "xmlx", "x-l", "_", "1a", "é", ""]
ENCODINGS = ["UTF-8", "utf-8", "UTF8", "utf8", "UTF-16", "UTF-16LE", "utf-16be", "US-ASCII", "us-ascii", "ascii", "ASCII", "latin1", "ISO-8859-1", "iso-8859-8", "ISO-8859-8-I", "iso8859-1",
             "ISO_8859-1", "ISO-8859-01", "ISO-8859-0", "ISO-8859-16", "windows-1252", "windows-1255", "Windows-1251", "windows-1259", "cp1252", "ISO-10646-UCS-2", "UCS-4", "UTF-7",
             "UTF-32", "Shift_JIS", "GBK", "EUC-JP", "KOI8-R", "IBM037", "x-mac-hebrew", "", " UTF-8", "UTF-8 ", "8-UTF", "-", "U", "none", "unicode", "%SOUP-ENCODING%"] + [
             f"ISO-8859-{n}" for n in range(2, 18)] + [f"windows-125{n}" for n in range(9)]
# What Python, Java and libxml2 all write and read under the name that is declared.
CODECS = ["utf-8"] * 12 + ["utf-16-le", "utf-16-be", "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-8", "iso-8859-15", "cp1250", "cp1251", "cp1252", "cp1253", "cp1255", "cp1256"]
LABELS = {"cp1250": "windows-1250", "cp1251": "windows-1251", "cp1252": "windows-1252", "cp1253": "windows-1253", "cp1255": "windows-1255", "cp1256": "windows-1256",
          "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "utf-8": "UTF-8"}
VERSIONS = ["1.0", "1.1", "1.2", "1.00", "2.0", "1", "", "1.", "1.0a", " 1.0", "1.10"]
TARGETS = ["pi", "xml-stylesheet", "xml", "XML", "xMl", "xmlx", "a:b", "xml:a", "_", "1", "", "pi?", "é", ":", "php", "="]
COMMENTS = ["", " ", "c", "-", "--", "->", ">", "- -", " a -", "-a", "<x>", "&", "<!--", "\x01", "]]>", "é", "?>"]
BLANKS = [" ", " ", " ", "\n", "\t", "\r\n", "\r", "  ", "\n\n"]
ODD_BLANKS = ["", "\x0b", "\x0c", "\xa0", "\x85", "\u2028", "\u200b", "\ufeff", "\x00"]
TOKENS = [b"<", b">", b"/", b"/>", b"</", b"<!--", b"-->", b"--", b"<![CDATA[", b"]]>", b"<?", b"?>", b"<?xml ", b"<!", b"<!DOCTYPE Response>", b"&", b";", b"&#", b"&#x", b"&amp;", b"\"", b"'", b"=",
          b" ", b"\n", b"\r", b"\t", b":", b"xmlns", b"xmlns:a='urn:x'", b" xmlns:xml='x'", b"xml:", b"Response", b"<Response>", b"</Response>", b"<Say>", b"</Say>", b"<a:b/>", b" a='1'", b" a:a='1'",
          b"\x00", b"\x01", b"\x0c", b"\x7f", b"\x80", b"\x85", b"\xa0", b"\xad", b"\xc0\x80", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xe2\x80\x8b", b"\xef\xbb\xbf", b"\xef\xbf\xbe", b"\xef\xbf\xbf",
          b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98\x80", b"\xff\xfe", b"\xfe\xff", b"\xff", b"encoding='UTF-16'", b"encoding=\"windows-1255\"", b"standalone='yes'", b"version='1.1'", b"1.1"]
CUTS = re.compile(rb"<!--|-->|<!\[CDATA\[|\]\]>|<\?|\?>|</|/>|[<>&;='\"/:\s]|[A-Za-z0-9_.-]+|[^\x00-\x7f]+|.", re.DOTALL)
TAGS = re.compile(rb"<[^<>]*>|[^<]+|<", re.DOTALL)


def made_by_the_sdk():
    """The short ones among them, from the root on."""
    path = Path(__file__).resolve().parents[1] / "data" / "documents" / "documents.jsonl"
    with open(path, encoding="utf-8") as lines:
        roots = [json.loads(line)["xml"].split("?>", 1)[-1] for line in lines]
    return [root for root in roots if len(root) < 800]


SDK = made_by_the_sdk()


@dataclass(frozen=True)
class Document:
    content_type: str
    body: bytes


class Writer:
    """Writes one document; `wild` is the chance of taking the odd way at each choice."""

    def __init__(self, chance, wild, sdk):
        self.chance, self.wild, self.sdk, self.left = chance, wild, sdk, chance.choice([1, 2, 2, 3, 4, 8])

    def odd(self, factor=1.0):
        return self.chance.random() < self.wild * factor

    def one(self, usual, odd, factor=1.0):
        return self.chance.choice(odd if self.odd(factor) else usual)

    def edge(self):
        code = self.chance.choice(EDGES) if self.chance.random() < 0.6 else self.chance.randrange(0x80, 0x10000)
        return code

    def character(self):
        code = self.edge()
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"

    def reference(self):
        code = self.edge()
        return self.chance.choice([f"&#{code};", f"&#x{code:x};", f"&#x{code:X};", f"&#{code:012};"])

    def blank(self):
        return self.one(BLANKS, ODD_BLANKS, 0.4)

    def maybe_blank(self):
        return self.blank() if self.chance.random() < 0.15 else ""

    def name(self, usual):
        name = self.chance.choice(usual)
        if self.odd(0.02):
            name *= self.chance.choice([50, 250, 400])
        if self.odd(0.7):
            at = self.chance.randint(0, len(name))
            extra = self.chance.choice([self.character(), "-", ".", "1", ":", "_", "a:"])
            name = name[:at] + extra + name[at:]
        return name

    def attribute(self, usual):
        if self.chance.random() < 0.15:
            prefix = self.one(["a", "b"], PREFIXES)
            name, value = self.chance.choice([f"xmlns:{prefix}", f"xmlns:{prefix}", "xmlns"]), self.one(URIS[:3], URIS)
        elif self.chance.random() < 0.1:
            name, value = self.one(["a", "b"], PREFIXES) + ":" + self.chance.choice(["a", "b", "lang"]), "1"
        else:
            name, value = self.name(usual), self.one(VALUES, ODD_TEXTS + VALUES)
            if self.chance.random() < 0.1:
                value += self.reference() if self.odd() else self.character() if self.odd() else "&#160;"
        quote = "'" if '"' in value else '"' if "'" in value else self.chance.choice("\"'")
        if self.odd(0.2):
            quote = self.chance.choice(["", "`", "”", "'", "\\\""])
        equals = self.maybe_blank() + self.one(["="], ["", "==", ":", "="], 0.15) + self.maybe_blank()
        return name + equals + quote + value + quote

    def attributes(self):
        count = self.chance.choice([0, 0, 1, 1, 2, 3])
        usual = ATTRIBUTES + ["Voice", "a", "xmlns", "colour"] if self.odd() else ATTRIBUTES
        written, names = "", set()
        for _ in range(count):
            attribute = self.attribute(usual)
            name = re.split(r"[\s=]", attribute, maxsplit=1)[0]
            if name in names and not self.odd(2):
                continue
            names.add(name)
            written += self.blank() + attribute
        return written

    def text(self):
        if self.chance.random() < 0.15:
            return self.reference() if self.odd(2) else "&#8364;"
        if self.odd(0.4):
            return self.character()
        return self.one(TEXTS, ODD_TEXTS)

    def comment(self):
        return "<!--" + self.one(["", " c ", "a - b", "<x>&", "-a"], COMMENTS) + self.one(["-->"], ["--->", "--!>", "->", ""], 0.2)

    def cdata(self):
        inside = self.one(["", "a & b", "<x>", "]]", "]", HEBREW, "&nbsp;"], ["]]>", "<![CDATA[", "\x01", self.character()])
        return self.one(["<![CDATA["], ["<![cdata[", "<![CDATA [", "<! [CDATA["], 0.2) + inside + self.one(["]]>"], ["]]]>", "]>", "]] >", ""], 0.2)

    def instruction(self):
        target = self.one(["pi", "php", "xml-stylesheet", "_"], TARGETS)
        rest = self.one(["", " x", "\ta='b'", " ?", " &<"], ["?x", ":", ">", "=", "\x01", " version='1.0'", "\xa0"])
        return "<?" + target + rest + self.one(["?>"], [">", "? >", ""], 0.2)

    def piece(self, depth):
        roll = self.chance.random()
        if roll < 0.4 and self.left > 0 and depth < 6:
            return self.element(self.name(VERBS) if not self.odd(0.3) else self.chance.choice(["a:b", "say", "xml:a", "xmlns:a", "a:1", "Response", "script"]), depth + 1)
        if roll < 0.82:
            return self.text()
        return self.chance.choice([self.comment, self.cdata, self.instruction])()

    def element(self, name, depth=0):
        self.left -= 1
        tag = "<" + self.one([""], [" ", "\n", "\x00"], 0.05) + name + self.attributes() + self.maybe_blank()
        if self.chance.random() < 0.25 and depth > 0:
            return tag + self.one(["/>"], ["/ >", "//>", ">"], 0.1)
        inside = "".join(self.piece(depth) for _ in range(self.chance.choice([0, 1, 1, 2, 3])))
        end = f"</{name}{self.maybe_blank()}>"
        if self.odd(0.15):
            end = self.chance.choice(["", f"</{name}", f"</ {name}>", f"</{name.lower()}>", f"</{name} a='1'>", f"</{name}/>", end + end, "</>"])
        return tag + ">" + inside + end

    def declaration(self, label):
        version = self.one(["1.0"], VERSIONS, 0.6)
        fields = [("version", version), ("encoding", label), ("standalone", self.one(["yes", "no"], ["YES", "true", "", "1"]))]
        present = [field for field in fields if field[0] == "version" or self.chance.random() < (0.8 if field[0] == "encoding" else 0.2)]
        if self.odd(0.15):
            self.chance.shuffle(present)
        if self.odd(0.1):
            present.append(self.chance.choice([("version", "1.0"), ("encoding", "UTF-8"), ("x", "1"), ("Encoding", "utf-8")]))
        if self.odd(0.1):
            present.pop(0)
        written = "<?" + self.one(["xml"], ["XML", "xml ", " xml", "Xml", "xmlx"], 0.15)
        for key, value in present:
            quote = self.chance.choice("\"'")
            written += self.blank() + key + self.maybe_blank() + "=" + self.maybe_blank() + quote + value + quote
        return written + self.maybe_blank() + self.one(["?>"], [">", "?", "? >", "/>"], 0.08)

    def between(self):
        made = ""
        while self.chance.random() < 0.25:
            made += self.one([self.blank(), self.comment(), self.instruction()], [self.text(), self.cdata(), "<!DOCTYPE Response>", "<?xml version='1.0'?>", "\x00", "junk", "\ufeff"], 0.25)
        return made

    def document(self, label):
        before = self.one([""], [" ", "\n", "\ufeff", "\x00", "x", "\u200b"], 0.15)
        declaration = self.declaration(label) if self.chance.random() < 0.65 else ""
        if self.sdk:
            return before + declaration + self.between() + self.chance.choice(SDK) + self.between()
        root = self.one(["Response"], ["response", "Respons", "a:Response", "Responsé", "Response\u0301", "html", "Response:"], 0.15)
        return before + declaration + self.between() + self.element(root) + self.between()


def write(chance, sdk):
    """A document by the grammar, with `sdk` only what stands around the root: header value and bytes."""
    writer = Writer(chance, chance.choice([0, 0, 0.03, 0.1, 0.3]), sdk)
    codec = chance.choice(CODECS)
    label = LABELS.get(codec, codec)
    declared = chance.choice(ENCODINGS) if chance.random() < 0.2 else chance.choice([label, label.lower(), label.upper()])
    text = writer.document(declared)
    if chance.random() < 0.06:
        text = chance.choice(WRAPPINGS)(text)
    errors = "xmlcharrefreplace" if chance.random() < 0.7 else "ignore"
    body = text.encode(codec, errors)
    if codec.startswith("utf-16") and chance.random() < 0.6:
        body = (codecs.BOM_UTF16_LE if codec.endswith("le") else codecs.BOM_UTF16_BE) + body
    if codec == "utf-8" and chance.random() < 0.05:
        body = codecs.BOM_UTF8 + body
    kind = chance.choice(["text/xml"] * 5 + ["application/xml"] * 3 + ["text/html", "Text/XML", "application/json", "text/plain"])
    roll = chance.random()
    if roll < 0.35:
        return kind, body
    charset = label if roll < 0.75 else chance.choice([name for name in ENCODINGS if re.fullmatch(r"[!-~]+", name)] + ["iso-8859-+1"])
    quote = chance.choice(["", "", "", '"'])
    more = chance.choice([";", "; x=y", '; x="a;b"', "; charset=utf-8", "; charset"]) if chance.random() < 0.05 else ""
    return kind + chance.choice([";", "; ", " ;  "]) + chance.choice(["charset=", "charset=", "Charset="]) + quote + charset + quote + more, body


# What backends and their frameworks put around a document.
WRAPPINGS = (
    lambda text: json.dumps(text),
    lambda text: json.dumps({"twiml": text}, ensure_ascii=False),
    lambda text: json.dumps({"statusCode": 200, "body": base64.b64encode(text.encode()).decode(), "isBase64Encoded": True}),
    html.escape,
    lambda text: html.escape(html.escape(text)),
    lambda text: f"<html><body><pre>{html.escape(text)}</pre></body></html>",
    lambda text: f"<html><body>{text}</body></html>",
    lambda text: f"<![CDATA[{text}]]>",
    lambda text: f"b{text.encode('ascii', 'backslashreplace').decode()!r}",
    lambda text: f"<string>{html.escape(text)}</string>",
    lambda text: f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n{text}",
    lambda text: base64.b64encode(text.encode()).decode(),
    urllib.parse.quote,
    lambda text: f"<br />\n<b>Notice</b>: x in <b>/a.php</b> on line <b>1</b><br />\n{text}",
    lambda text: f"{text}\n<!-- served in 3 ms -->\n<script>1 < 2</script>",
    lambda text: text.replace('"', '\\"'),
    lambda text: text.replace("\n", "\\n").replace("<", "&lt;"),
    lambda text: text.encode().decode("latin-1"),
)


def spoil_bytes(chance, body):
    at = chance.randint(0, len(body))
    way = chance.randrange(5)
    if way == 0:
        return body[:at] + body[at + chance.choice([1, 1, 1, 2, 5]):]
    if way == 1:
        return body[:at] + chance.choice(TOKENS) + body[at:]
    if way == 2:
        return body[:at] + bytes([chance.randrange(256)]) + body[at + 1:]
    if way == 3:
        return body[:at] + chance.choice(TOKENS) + body[at + 1:]
    return body[:at] if chance.random() < 0.3 else body[:at] + body[at:at + 8] + body[at:]


def spoil_pieces(chance, pieces):
    if not pieces:
        return pieces
    a, b = chance.randrange(len(pieces)), chance.randrange(len(pieces))
    way = chance.randrange(5)
    if way == 0:
        del pieces[a]
    elif way == 1:
        pieces.insert(b, pieces[a])
    elif way == 2:
        pieces[a], pieces[b] = pieces[b], pieces[a]
    elif way == 3:
        pieces[a] = chance.choice(TOKENS)
    else:
        pieces.insert(a, chance.choice(TOKENS))
    return pieces


def spoil(chance, body):
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        way = chance.randrange(3)
        if way == 0:
            body = spoil_bytes(chance, body)
        else:
            body = b"".join(spoil_pieces(chance, (CUTS if way == 1 else TAGS).findall(body)))
    return body


def make(seed, number):
    chance = random.Random(f"{seed}/{number}")
    sdk = chance.random() < 0.2
    content_type, body = write(chance, sdk)
    if chance.random() < (0.9 if sdk else 0.25):
        body = spoil(chance, body)
    return Document(content_type, body[:65536])
