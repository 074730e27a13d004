"""Ways to spoil an answer, one for each class of faults that backends were seen with.

A class takes a document and gives an `Answer`, or None where the fault cannot happen to that document.
"""

import base64
import gzip
import html
import json
import random
import re
import urllib.parse
import zlib
from dataclasses import dataclass, field
from html.entities import codepoint2name

import brotli
import zstandard

# untouched: nothing is wrong, not a byte may change. mend: there is one reading, the document must survive.
# wanting: there is one reading too, but the guard does not find it yet. open: what was meant can be argued about. Of both
# only acceptance is asked. trap: whatever is delivered, it is not the document.
UNTOUCHED, MEND, WANTING, OPEN, TRAP = "untouched", "mend", "wanting", "open", "trap"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
XML = "text/xml; charset=utf-8"
CLASSES = []


@dataclass
class Answer:
    body: bytes
    content_type: str | None = XML
    status: int = 200
    headers: list = field(default_factory=list)
    length: int | None = None  # what Content-Length says; the true length if None, no header if negative
    is_twiml: bool = True

    def raw(self):
        lines = [f"HTTP/1.1 {self.status} Said so"]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        length = len(self.body) if self.length is None else self.length
        if length >= 0 and self.status != 204:
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode("latin-1") + self.body


@dataclass(frozen=True)
class Fault:
    name: str
    kind: str
    spoil: object


def fault(name, kind):
    def add(spoil):
        def answer(document):
            made = spoil(document, random.Random(f"{name} {document['name']}"))
            if isinstance(made, str):
                # What leaves the document as it is is no fault.
                made = None if kind != UNTOUCHED and made == document["xml"] else Answer(made.encode())
            return made

        CLASSES.append(Fault(name, kind, answer))
        return spoil

    return add


def simple(name, kind, change):
    fault(name, kind)(lambda document, _: change(document["xml"]))


def bare(xml):
    return xml.removeprefix(DECLARATION)


def encoded(text, codec):
    try:
        return None if text.isascii() else text.encode(codec)
    except UnicodeEncodeError:
        return None


def tags(xml, change):
    """Changes every start tag's attribute part; `change` gets a list of (name, value)."""

    def one(found):
        pairs = re.findall(r'([\w:-]+)="([^"]*)"', found[2])
        return f"<{found[1]}{change(pairs)}{found[3]}>"

    return re.sub(r"<([A-Za-z][\w:-]*)((?:\s+[\w:-]+=\"[^\"]*\")+)(\s*/?)>", one, bare(xml))


def replaced(pattern, change, count=0):
    return lambda xml: DECLARATION + re.sub(pattern, change, bare(xml), count=count)


# Nothing is wrong ----------------------------------------------------------------------------------------

simple("as it was made", UNTOUCHED, lambda xml: xml)
simple("application/xml", UNTOUCHED, lambda xml: Answer(xml.encode(), "application/xml"))
simple("text/xml without charset", UNTOUCHED, lambda xml: Answer(xml.encode(), "text/xml"))
simple("no declaration", UNTOUCHED, bare)
simple("line end behind", UNTOUCHED, lambda xml: xml + "\n")
simple("a comment", UNTOUCHED, lambda xml: xml.replace("<Response", "\n<!-- menu 3 -->\n<Response", 1))
simple("standalone", UNTOUCHED, lambda xml: xml.replace("?>", ' standalone="yes"?>', 1))
simple("single quotes", UNTOUCHED, lambda xml: DECLARATION + tags(xml, lambda pairs: "".join(f" {n}='{v}'" for n, v in pairs)) if "'" not in xml else None)
simple("character references", UNTOUCHED, lambda xml: "".join(c if c.isascii() else f"&#x{ord(c):x};" for c in xml))
simple("text in CDATA", UNTOUCHED, replaced(r"(<Say[^>]*>)([^<&>]+)(</Say>)", r"\1<![CDATA[\2]]>\3"))
simple("a cookie", UNTOUCHED, lambda xml: Answer(xml.encode(), headers=[("Set-Cookie", "session=abc; Path=/; HttpOnly")]))
simple("ends with the connection", UNTOUCHED, lambda xml: Answer(xml.encode(), length=-1))


@fault("audio", UNTOUCHED)
def audio(document, chance):
    if document["slot"] not in ("voice", "action", "wait"):
        return None
    return Answer(b"ID3\x04" + chance.randbytes(3000), "audio/mpeg", is_twiml=False)


# The answer's head ---------------------------------------------------------------------------------------

for kind in ("text/html; charset=utf-8", "application/json", "application/octet-stream", "text/plain", "txt/xml", None):
    simple(f"type {kind or 'missing'}", MEND, lambda xml, kind=kind: Answer(xml.encode(), kind))
simple("two types", MEND, lambda xml: Answer(xml.encode(), "text/html", headers=[("Content-Type", "text/xml")]))
for code in (201, 400, 404, 500, 503):
    simple(f"status {code}", MEND, lambda xml, code=code: Answer(xml.encode(), status=code))
simple("Content-Length too large", MEND, lambda xml: Answer(xml.encode(), length=len(xml.encode()) + 12))

# Around the document -------------------------------------------------------------------------------------

NOTICE = "<br />\n<b>Notice</b>:  Undefined index: From in <b>/var/www/html/twiml.php</b> on line <b>12</b><br />\n"
BEFORE = {
    "byte order mark": "\ufeff",
    "two byte order marks": "\ufeff\ufeff",
    "blank lines before": "\n \r\n",
    "no-break space before": "\u00a0",
    "NUL before": "\0",
    "text before": "debug: call received\n",
    "PHP notice before": NOTICE,
    "comment before": "<!-- cached copy -->\n",
    "printed head before": "Content-Type: text/xml\r\n\r\n",
}
for name, junk in BEFORE.items():
    simple(name, MEND, lambda xml, junk=junk: junk + xml)
simple("PHP warning without HTML before", MEND, lambda xml: "\nWarning: Undefined variable $to in /var/www/html/twiml.php on line 3\n" + xml)
simple("text after", MEND, lambda xml: xml + "\ndone")
simple("NUL after", MEND, lambda xml: xml + "\0")
simple("PHP notice after", MEND, lambda xml: xml + NOTICE)
simple("script after", MEND, lambda xml: xml + "<script async src='https://cdn.example.com/t.js'></script>")
simple("head injected", MEND, lambda xml: xml.replace(DECLARATION, DECLARATION + "<head/>", 1))
simple("declaration doubled", MEND, lambda xml: DECLARATION + xml)
simple("declaration misplaced", MEND, lambda xml: "<!-- made by hand -->" + xml)
simple("declaration misspelt", MEND, lambda xml: xml.replace("<?xml", "<?XML", 1))
simple("declaration of version 1.1", MEND, lambda xml: xml.replace('version="1.0"', 'version="1.1"', 1))
simple("first byte lost", MEND, lambda xml: xml[1:])
simple("doctype", MEND, lambda xml: xml.replace(DECLARATION, DECLARATION + "<!DOCTYPE Response>", 1))
simple("HTML doctype", MEND, lambda xml: "<!DOCTYPE html>\n" + bare(xml))

# Markup --------------------------------------------------------------------------------------------------

simple("bare & everywhere", MEND, lambda xml: xml.replace("&amp;", "&"))
simple("bare & in attributes", MEND, replaced(r'="[^"]*"', lambda found: found[0].replace("&amp;", "&")))
simple("bare < in text", MEND, lambda xml: re.sub(r"&lt;(?=[\s\d])", "<", xml))
simple("HTML entities", MEND, lambda xml: "".join(f"&{codepoint2name[ord(c)]};" if not c.isascii() and ord(c) in codepoint2name else c for c in xml))
simple("control character in text", OPEN, replaced(r"(<Say[^>]*>\w)", "\\1\x02", 1))
WORD = re.compile(r"[\w./:+-]+")
simple("attributes unquoted", MEND, lambda xml: tags(xml, lambda pairs: "".join(
    f" {n}={v}" if WORD.fullmatch(v) and not v.endswith("/") else f' {n}="{v}"' for n, v in pairs)).replace("/>", " />"))
simple("attributes in curly quotes", MEND, lambda xml: DECLARATION + tags(xml, lambda pairs: "".join(f" {n}=“{v}”" for n, v in pairs)))
simple("attributes doubled", MEND, lambda xml: DECLARATION + tags(xml, lambda pairs: "".join(f' {n}="{v}"' for n, v in [*pairs, pairs[0]])))
simple("no blank between attributes", MEND, lambda xml: DECLARATION + tags(xml, lambda pairs: " " + "".join(f'{n}="{v}"' for n, v in pairs)))
simple("commas between attributes", MEND, lambda xml: DECLARATION + tags(xml, lambda pairs: " " + ", ".join(f'{n}="{v}"' for n, v in pairs)))
simple("quote escaped by a backslash", MEND, lambda xml: DECLARATION + tags(xml, lambda pairs: "".join(f' {n}=\\"{v}\\"' for n, v in pairs)))
simple("root in lower case", MEND, lambda xml: xml.replace("<Response", "<response").replace("</Response", "</response"))
simple("root in upper case", MEND, lambda xml: xml.replace("<Response", "<RESPONSE").replace("</Response", "</RESPONSE"))
simple("verbs in lower case", MEND, replaced(r"(</?)(Say|Dial|Gather|Play|Hangup|Pause|Redirect|Message|Number|Record|Enqueue|Reject|Connect)\b",
                                             lambda found: found[1] + found[2].lower()))
simple("attributes in lower case", MEND, lambda xml: DECLARATION + tags(xml, lambda pairs: "".join(
    f' {n if n in ("name", "value") else n.lower()}="{v}"' for n, v in pairs)))
simple("end tag of the root missing", MEND, lambda xml: xml.removesuffix("</Response>"))
simple("last two end tags missing, text whole", MEND, lambda xml: re.sub(r"(?<=>)</\w+></Response>$", "", xml))
simple("last spoken text without its end", OPEN, lambda xml: found[1] if (found := re.fullmatch(r"(.*>[^<>]+)</(?:Say|Message)></Response>", xml, re.DOTALL)) else None)
simple("self-closed, closed again", MEND, replaced(r"<(Hangup|Pause|Play|Reject|Leave|Stream)\b([^>]*?)\s*/>", r"<\1\2/></\1>"))
simple("end tag of the root misspelt", MEND, lambda xml: xml.replace("</Response>", "</Reponse>"))
simple("end tag in another case", MEND, replaced(r"</(Say|Dial|Message|Gather)>", lambda found: found[0].lower()))
simple("end tag misspelt", MEND, replaced(r"</(Gather|Message|Redirect)>", lambda found: f"</{found[1][:-2]}{found[1][-1]}{found[1][-2]}>"))
simple("root misspelt", MEND, lambda xml: xml.replace("<Response>", "<Respone>").replace("</Response>", "</Respone>"))
simple("root missing", MEND, lambda xml: bare(xml).removeprefix("<Response>").removesuffix("</Response>") if "<Response>" in xml else None)
simple("blank after <", MEND, replaced(r"<(Say|Dial|Message)\b", r"< \1"))

# Codings and character sets ------------------------------------------------------------------------------


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": lambda data: gzip.compress(data, mtime=0), "deflate": zlib.compress, "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
for label, pack in PACKED.items():
    simple(f"{label} unasked", MEND, lambda xml, label=label, pack=pack: Answer(pack(xml.encode()), headers=[("Content-Encoding", label)]))
simple("deflate without its head", MEND, lambda xml: Answer(raw_deflate(xml.encode()), headers=[("Content-Encoding", "deflate")]))
simple("gzip undeclared", MEND, lambda xml: Answer(PACKED["gzip"](xml.encode())))
simple("gzip twice", MEND, lambda xml: Answer(PACKED["gzip"](PACKED["gzip"](xml.encode())), headers=[("Content-Encoding", "gzip")]))
simple("gzip declared only", MEND, lambda xml: Answer(xml.encode(), headers=[("Content-Encoding", "gzip")]))


def in_charset(name, codec, change):
    def spoil(document, _):
        body = encoded(change(document["xml"], codec), codec)
        return None if body is None else Answer(body, f"text/xml; charset={codec}" if "header" in name else "text/xml")

    fault(name, MEND)(spoil)


for codec in ("iso-8859-1", "windows-1252", "windows-1255"):
    in_charset(f"{codec} by header", codec, lambda xml, codec: bare(xml))
    in_charset(f"{codec} by declaration", codec, lambda xml, codec: xml.replace("UTF-8", codec))
simple("latin-1 bytes called UTF-8", OPEN, lambda xml: (lambda body: body and Answer(body))(encoded(xml, "latin-1")))
simple("UTF-16 with mark", MEND, lambda xml: Answer(xml.replace("UTF-8", "UTF-16").encode("utf-16"), "text/xml; charset=utf-16"))
simple("UTF-16 without mark", MEND, lambda xml: Answer(bare(xml).encode("utf-16-le"), "text/xml"))
simple("UTF-8 read as latin-1 once more", OPEN, lambda xml: None if xml.isascii() else xml.encode().decode("latin-1"))

# Wrapped -------------------------------------------------------------------------------------------------

JSON = "application/json"
simple("JSON string", MEND, lambda xml: Answer(json.dumps(xml).encode(), JSON))
for key in ("twiml", "body", "data"):
    simple(f"field {key} of JSON", MEND, lambda xml, key=key: Answer(json.dumps({"ok": True, key: xml}).encode(), JSON))
simple("Lambda proxy result", MEND, lambda xml: Answer(json.dumps({"statusCode": 200, "headers": {"Content-Type": "text/xml"}, "body": xml}).encode(), JSON))
simple("Lambda proxy result in base64", MEND, lambda xml: Answer(
    json.dumps({"statusCode": 200, "isBase64Encoded": True, "body": base64.b64encode(xml.encode()).decode()}).encode(), JSON))
simple("JSON in JSON", MEND, lambda xml: Answer(json.dumps(json.dumps({"twiml": xml})).encode(), JSON))
simple("HTML-escaped", MEND, html.escape)
simple("HTML-escaped twice", MEND, lambda xml: html.escape(html.escape(xml)))
simple("in <pre>", MEND, lambda xml: Answer(f"<pre>{html.escape(xml)}</pre>".encode(), "text/html"))
simple("in <html><body>", MEND, lambda xml: Answer(f"<html><body>{bare(xml)}</body></html>".encode(), "text/html"))
simple("in <string>", MEND, lambda xml: f'<string xmlns="http://schemas.microsoft.com/2003/10/Serialization/">{html.escape(xml, quote=False)}</string>')
simple("in CDATA", MEND, lambda xml: f"<![CDATA[{xml}]]>" if "]]>" not in xml else None)
simple("URL-encoded", MEND, urllib.parse.quote)
simple("base64", MEND, lambda xml: base64.b64encode(xml.encode()).decode())
simple("Python bytes", MEND, lambda xml: repr(xml.encode()))
simple("Python string", MEND, repr)
simple("line ends as \\n", MEND, lambda xml: xml.replace("?>", "?>\\n", 1))
simple("a Markdown fence", OPEN, lambda xml: f"```xml\n{xml}\n```")

# Torn tags and declarations, and wrappings that lost a part ---------------------------------------------


def torn(pattern, change):
    """`change` for every match outside of CDATA; None where nothing matches."""
    return lambda xml: None if "CDATA" in xml or (made := re.sub(pattern, change, xml)) == xml else made


def redeclared(declaration):
    return lambda xml: xml.replace(DECLARATION, declaration, 1) if xml.startswith(DECLARATION) else None


for name, declaration in {
    "without version": '<?xml encoding="UTF-8"?>', "encoding first": '<?xml encoding="UTF-8" version="1.0"?>', "misspelt within": '<?xml verison="1.0" encodig="UTF-8"?>',
    "no quotes": "<?xml version=1.0 encoding=UTF-8?>", "one quote lost": '<?xml version="1.0 encoding="UTF-8"?>', "no blank": '<?xml version="1.0"encoding="UTF-8"?>',
    "version 2.0": '<?xml version="2.0" encoding="UTF-8"?>', "standalone true": '<?xml version="1.0" encoding="UTF-8" standalone="true"?>', "an element": '<xml version="1.0" encoding="UTF-8">',
    "no end": '<?xml version="1.0" encoding="UTF-8"?',
}.items():
    simple(f"declaration: {name}", MEND, redeclared(declaration))
simple("end tags </Say/>", MEND, torn(r"</(Say|Dial|Number|Message)>", r"</\1/>"))
simple("end tags </>", MEND, torn(r"</(Say|Dial|Number|Message)>", "</>"))
simple("an end tag without its >", MEND, torn(r"</(Say|Dial|Number|Message)>(?=<)", r"</\1"))
simple("attributes in end tags", MEND, torn(r"<Say( [^<>/]+)>([^<]*)</Say>", r"<Say\1>\2</Say\1>"))
simple("start tag for </Say>", MEND, torn(r"(<Say[^<>/]*>[^<]+)</Say>(?!<Say)", r"\1<Say>"))
simple("start tag for </Response>", MEND, torn(r"(?<=>)</Response>$", "<Response>"))
simple("empty verbs left open", MEND, torn(r"<(Pause|Hangup|Leave|Parameter)((?: [^<>]*[^<>/ ])?) ?/>", r"<\1\2>"))
simple("quotes doubled", MEND, torn(r'([a-zA-Z]+)="([^"<>]+)"(?=[^<>]*>)(?!\?)', lambda part: part[0] if part[1] in ("version", "encoding") else f'{part[1]}=""{part[2]}""'))
simple("the document twice", MEND, lambda xml: f"{xml}\n{xml}" if "</Response>" in xml else None)
simple("root in lower case, its end not", MEND, lambda xml: xml.replace("<Response>", "<response>", 1) if "</Response>" in xml else None)
simple("JSON string without quotes", MEND, lambda xml: json.dumps(xml + "\n").replace("/", "\\/")[1:-1])
simple("JSON behind a log line", MEND, lambda xml: Answer(f"INFO building menu\n{json.dumps({'twiml': xml})}".encode(), JSON))
simple("escaped by number", MEND, lambda xml: "".join(f"&#{ord(c)};" if c in "<>&\"'" else c for c in xml))
simple("CDATA in SOAP", MEND, lambda xml: f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><return><![CDATA[{xml}]]></return></s:Body></s:Envelope>' if "]]>" not in xml else None)
simple("a form's field", MEND, lambda xml: Answer(f"twiml={urllib.parse.quote_plus(xml)}".encode(), "text/plain"))
simple("a data: URL", MEND, lambda xml: Answer(b"data:text/xml;base64," + base64.b64encode(xml.encode()), "text/plain"))

# Signs of other languages, other roots, things around a string, displaced Hebrew --------------------------


def spelt(form):
    """Every attribute as `form` has it."""
    return lambda xml: DECLARATION + made if (made := tags(xml, lambda pairs: "".join(" " + form.format(n, v) for n, v in pairs))) != bare(xml) else None


def between(sign):
    """`sign` between attributes."""
    return lambda xml: DECLARATION + tags(xml, lambda pairs: " " + sign.join(f'{n}="{v}"' for n, v in pairs)) if re.search(r'="[^"]*" \w+="', bare(xml)) else None


for name, sign in {"pipes": " | ", "ampersands": " & ", "no-break spaces": "\u00a0"}.items():
    simple(f"{name} between attributes", MEND, between(sign))
for name, form in {
    "arrows for =": '{0}=>"{1}"', "names in quotes": '"{0}"="{1}"', "values in braces": '{0}={{"{1}"}}', "quotes of an editor, by number": "{0}=&#8220;{1}&#8221;",
    "quotes of an editor, by name": "{0}=&ldquo;{1}&rdquo;", "quotes percent-encoded": "{0}=%22{1}%22", "quotes escaped twice": '{0}=\\\\"{1}\\\\"',
}.items():
    simple(name, MEND, spelt(form))


def rooted(name):
    return lambda xml: xml.replace("<Response>", f"<{name}>", 1).replace("</Response>", f"</{name}>") if re.search(r"<Response>\s*<", xml) else None


for name in ("TwiML", "VoiceResponse", "Responses", "xml"):
    simple(f"root <{name}>", MEND, rooted(name))
simple("the root in the root", MEND, lambda xml: bare(xml).replace("<Response>", "<Response><Response>", 1) + "</Response>" if "</Response>" in xml else None)
simple("a prefix on every name", MEND, lambda xml: re.sub(r"<(/?)(?=[A-Za-z])", r"<\1tw:", bare(xml)).replace("<tw:Response", '<tw:Response xmlns:tw="urn:twiml"', 1) if "CDATA" not in xml else None)
simple("a schema that nobody declared", MEND, lambda xml: xml.replace("<Response>", '<Response xsi:noNamespaceSchemaLocation="twiml.xsd">', 1) if "<Response>" in xml else None)
simple("< doubled", MEND, torn(r"(?<=<Response>)<(?=[A-Z])", "<<"))
# Not where speech has elements of its own, which the stray tag might close.
simple("another's end tag", MEND, lambda xml: torn(r"</Say>(?=<[A-Z]|</Response>)", "</p>")(xml) if not re.search("<p>|<say-as", xml) else None)
# A few at most: hundreds of slips are no slip.
simple("spoken text without its end", MEND, lambda xml: torn(r"(<Say[^<>/]*>[^<]+)</Say>(?=<(?:Dial|Hangup|Redirect|Record|Pause|Gather|Play)\b)", r"\1")(xml) if xml.count("<Say") < 20 else None)
simple("end tags left over", MEND, lambda xml: xml + "</Say>")
simple("PHP notice between verbs", MEND, lambda xml: re.sub(r"(?<=</Say>)(?=<(?:Dial|Hangup|Redirect|Record|Pause|Gather|Play)\b)", NOTICE, xml, count=1) if "CDATA" not in xml else None)
simple("verbs escaped within the root", MEND, lambda xml: f"<Response>{html.escape(found[1])}</Response>" if (found := re.fullmatch(r"<Response>(<.+)</Response>", bare(xml), re.DOTALL)) else None)
simple("verbs in CDATA within the root", MEND, lambda xml: f"<Response><![CDATA[{found[1]}]]></Response>" if "]]>" not in xml and (found := re.fullmatch(r"<Response>(<.+)</Response>", bare(xml), re.DOTALL)) else None)
simple("escaped behind a notice", MEND, lambda xml: Answer((NOTICE + html.escape(xml)).encode(), "text/html"))
simple("root missing behind a notice", MEND, lambda xml: NOTICE + found[1] if (found := re.fullmatch(r"<Response>(<.+>)</Response>", bare(xml), re.DOTALL)) else None)
simple("a page with its title", MEND, lambda xml: Answer(f"<!DOCTYPE html><html><head><title>Voice</title></head><body>{bare(xml)}</body></html>".encode(), "text/html"))
simple("in <div>", MEND, lambda xml: Answer(f"<div>{bare(xml)}</div>".encode(), "text/html"))
simple("in <result>", MEND, lambda xml: f"{DECLARATION}<result>{bare(xml)}</result>")
simple("list of JSON", MEND, lambda xml: Answer(json.dumps([xml]).encode(), JSON))
simple("a view's tuple as JSON", MEND, lambda xml: Answer(json.dumps([xml, 200, {"Content-Type": "text/xml"}]).encode(), JSON))
simple("JSONP", MEND, lambda xml: Answer(f"callback({json.dumps(xml)});".encode(), "application/javascript"))
simple("JSON of a buffer", MEND, lambda xml: Answer(json.dumps({"type": "Buffer", "data": list(xml.encode())}).encode(), JSON))
simple("hexadecimal", MEND, lambda xml: xml.encode().hex())
simple("base64 of gzip", MEND, lambda xml: base64.b64encode(gzip.compress(xml.encode(), mtime=0)).decode())
simple("PHP's var_dump", MEND, lambda xml: f'string({len(xml.encode())}) "{xml}"\n')
simple("Python list of bytes", MEND, lambda xml: repr([xml.encode()]))
simple("a form with a status", MEND, lambda xml: Answer(f"status=200&body={urllib.parse.quote_plus(xml)}".encode(), "text/plain"))
simple("UTF-32", MEND, lambda xml: Answer(xml.encode("utf-32"), "text/xml"))


def hebrew(change):
    """Answers with Hebrew words of a few letters, as `change` spoils them."""
    def spoil(document, _):
        xml = bare(document["xml"])
        words = re.findall("[א-ת]{2,}", xml)
        return Answer(change(xml), "text/xml") if sum(map(len, words)) > 12 and not re.search("[^\\x00-\\x7fא-ת]", xml) else None

    return spoil


fault("Hebrew in windows-1255, said by nobody", MEND)(hebrew(lambda xml: xml.encode("windows-1255")))
fault("Hebrew of DOS", MEND)(hebrew(lambda xml: xml.encode("cp862")))
fault("Hebrew read as latin-1", MEND)(hebrew(lambda xml: xml.encode("windows-1255").decode("latin-1").encode()))

# No document, or none to trust ---------------------------------------------------------------------------

PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1><p>{1}</p></body></html>"


def page(title, text, status=200):
    return Answer(PAGE.format(title, text).encode(), "text/html; charset=utf-8", status)


def cut(document, chance):
    """The document up to a place within a text or a tag."""
    xml = document["xml"]
    start = len(DECLARATION) + len("<Response>")
    places = [at for at in range(start + 3, xml.rfind("</Response>")) if xml[at - 1] not in ">" and xml[at] != "<"]
    return xml[: chance.choice(places)] if places else None


fault("cut, length says so", TRAP)(lambda document, chance: (lambda part: part and Answer(part.encode(), length=len(document["xml"].encode())))(cut(document, chance)))
fault("cut, nothing says so", TRAP)(lambda document, chance: (lambda part: part and Answer(part.encode(), length=-1))(cut(document, chance)))
simple("last number or URL without its end", TRAP, lambda xml: found[1] if (found := re.fullmatch(
    r"(.*>[^<>]+)</(?:Dial|Number|Play|Redirect|Sip|Client|Sms)></Response>", xml, re.DOTALL)) else None)
simple("HTML page", TRAP, lambda xml: page("Welcome", "Sign in to go on."))
simple("HTML page as XML", TRAP, lambda xml: PAGE.format("Welcome", "Sign in to go on."))
simple("404 page", TRAP, lambda xml: page("Not Found", "The requested URL was not found.", 404))
simple("500 page", TRAP, lambda xml: page("Internal Server Error", "Something broke.", 500))
simple("a page that quotes it", TRAP, lambda xml: page("How to answer a call", f"Return this: <pre>{html.escape(xml)}</pre> and hang up."))
simple("a traceback that quotes it", TRAP, lambda xml: page("TypeError", f"Traceback (most recent call last): <pre>{html.escape(xml)}</pre>", 500))
simple("a traceback before it", TRAP, lambda xml: "Traceback (most recent call last):\n  File \"app.py\", line 3, in voice\nKeyError: 'From'\n" + html.escape(xml))
simple("two documents", TRAP, lambda xml: xml + xml.replace("<Response>", "<Response><Say>Another one.</Say>", 1) if "<Response>" in xml else None)
simple("JSON acknowledgement", TRAP, lambda xml: Answer(b'{"ok":true,"message":"queued"}', JSON))
simple("JSON error", TRAP, lambda xml: Answer(b'{"detail":"Not Found"}', JSON, 404))
simple("204", TRAP, lambda xml: Answer(b"", None, 204))
simple("empty", TRAP, lambda xml: Answer(b""))
simple("OK", TRAP, lambda xml: Answer(b"OK", "text/plain"))
simple("OK as HTML", TRAP, lambda xml: Answer(b"ok", "text/html"))
simple("403", TRAP, lambda xml: Answer(b"Twilio Request Validation Failed.", "text/html", 403))
simple("gzip, cut", TRAP, lambda xml: Answer(PACKED["gzip"](xml.encode())[:-25], headers=[("Content-Encoding", "gzip")]))
TORN = re.compile(r"(.*>[^<>]+)<(/(?:Say|Message|Dial|Redirect|Play)></Response>)", re.DOTALL)
simple("an end tag without its <", TRAP, lambda xml: found[1] + found[2] if (found := TORN.fullmatch(xml)) else None)
simple("cut, then a notice", TRAP, lambda xml: bare(xml).removesuffix("</Response>") + NOTICE if xml.endswith("</Response>") else None)
simple("another document in another case", TRAP, lambda xml: xml + "<response><Hangup/></response>")
simple("an escaped one beside it", TRAP, lambda xml: html.escape("<Response><Hangup/></Response>") + bare(xml))
simple("verbs behind it", TRAP, lambda xml: xml + "<Hangup/>")
simple("an exception before it", TRAP, lambda xml: "TypeError: cannot read From\n    at /srv/app.js:3:4\n" + xml)
simple("a line of a log", TRAP, lambda xml: "2026-01-02 10:11:12 INFO sending " + bare(xml))
simple("a patch", TRAP, lambda xml: "--- a/voice.xml\n+++ b/voice.xml\n@@ -1 +1 @@\n+" + bare(xml))
simple("a template that nobody ran", TRAP, lambda xml: '{% extends "voice.xml" %}\n' + bare(xml))
simple("source of a program", TRAP, lambda xml: f"module.exports = () => `{bare(xml)}`;")
simple("commented out", TRAP, lambda xml: "// " + bare(xml))
simple("a failed answer printed", TRAP, lambda xml: "HTTP/1.1 404 Not Found\r\nContent-Type: text/xml\r\n\r\n" + xml)
simple("JSON that failed", TRAP, lambda xml: Answer(json.dumps({"success": False, "twiml": xml}).encode(), JSON))
simple("JSON that speaks of it", TRAP, lambda xml: Answer(json.dumps({"twiml": f"Invalid TwiML: {xml}"}).encode(), JSON))
simple("JSON with two", TRAP, lambda xml: Answer(json.dumps({"twiml": xml, "old": html.escape(xml)}).encode(), JSON))
simple("a page with a form", TRAP, lambda xml: Answer(f'<form action="/login"><input name="user"></form><pre>{html.escape(xml)}</pre>'.encode(), "text/html"))
simple("in <template>", TRAP, lambda xml: Answer(f"<template>{html.escape(xml)}</template>".encode(), "text/html"))
simple("another document with a prefix", TRAP, lambda xml: bare(xml) + "<a:Response><a:Hangup/></a:Response>")
simple("a log that tells of 500 behind it", TRAP, lambda xml: bare(xml) + '\n127.0.0.1 - - "POST /voice" 500')
simple("a page with a title that speaks", TRAP, lambda xml: Answer(f"<html><head><title>Example</title></head><body>{bare(xml)}</body></html>".encode(), "text/html"))
simple("list of JSON with two", TRAP, lambda xml: Answer(json.dumps([xml, "<Response><Hangup/></Response>"]).encode(), JSON))
simple("an apology of a framework", TRAP, lambda xml: Answer(b"Whoops, looks like something went wrong.", "text/plain"))
simple("redirect elsewhere", TRAP, lambda xml: Answer(b"", "text/html", 302, headers=[("Location", "https://login.example.org/")]))
