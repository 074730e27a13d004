"""Whether Twilio would take a document as TwiML, decided by libxml2 (lxml) and by the JDK's Xerces.

    accepts(body, content_type) -> (True, "") or (False, why)

Both must take it. What is asked for is the contract of a delivery: a type that Twilio reads as TwiML, UTF-8 without a byte order
mark, the same text whether the charset of the header or the declaration is believed, no DOCTYPE, root `Response`, at most
65,536 bytes. Nothing is fetched while parsing.
"""

import atexit
import email.message
import shutil
import struct
import subprocess
import threading
from pathlib import Path

from lxml import etree

MOST = 65536
TYPES = {"text/xml", "application/xml", "text/html"}
BOM = b"\xef\xbb\xbf"


def media_type(content_type):
    """Splits a Content-Type value into the lower-case type and the charset (None if it names none)."""
    message = email.message.Message()
    message["Content-Type"] = content_type
    charset = message.get_param("charset")
    if isinstance(charset, tuple):
        charset = charset[2]
    return content_type.split(";")[0].strip().lower(), charset or None


def refusal(body, content_type):
    """Why the document is refused, or None."""
    kind, charset = media_type(content_type or "")
    if kind not in TYPES:
        return f"content type: {content_type!r} is not read as TwiML"
    if len(body) > MOST:
        return f"size: {len(body)} bytes, at most {MOST} are read"
    if body.startswith(BOM):
        return "charset: starts with a byte order mark"
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"charset: not UTF-8: {error}"
    if charset:
        try:
            named = body.decode(charset)
        except (LookupError, UnicodeDecodeError) as error:
            return f"charset: {charset!r} of the header does not read it: {error}"
        if named != text:
            return f"charset: {charset!r} of the header gives other text than UTF-8"
    return libxml2(body, text) or xerces(body, charset or "utf-8")


def accepts(body, content_type):
    why = refusal(body, content_type)
    return why is None, why or ""


def _parser(**options):
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=False, **options)


def libxml2(body, text):
    try:
        declared = etree.fromstring(body, _parser())
        decoded = etree.fromstring(text.encode("utf-8"), _parser(encoding="utf-8"))
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        return f"libxml2: {error}"
    tree = declared.getroottree()
    if tree.docinfo.internalDTD is not None or tree.docinfo.doctype:
        return "libxml2: has a DOCTYPE"
    if declared.tag.rpartition("}")[2] != "Response" or declared.prefix:
        return f"libxml2: root element must be Response, not {declared.tag}"
    if etree.tostring(tree, encoding="unicode") != etree.tostring(decoded.getroottree(), encoding="unicode"):
        return "libxml2: the encoding of the declaration gives other text than UTF-8"
    return None


class Xerces:
    """One Java process, asked one document after the other."""

    def __init__(self):
        java = shutil.which("java")
        if java is None:
            raise RuntimeError("no `java` on the PATH; a JDK (not only a JRE) is needed, Debian: default-jdk-headless")
        source = Path(__file__).with_name("Oracle.java")
        self.process = subprocess.Popen(
            [java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", str(source)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.lock = threading.Lock()
        atexit.register(self.close)

    def ask(self, body, charset):
        name = charset.encode("ascii", "replace")
        with self.lock:
            self.process.stdin.write(struct.pack(">I", len(name)) + name + struct.pack(">I", len(body)) + body)
            self.process.stdin.flush()
            line = self.process.stdout.readline().decode("utf-8").rstrip("\n")
        if line == "ok":
            return None
        if line.startswith("refused "):
            return "Xerces: " + line.removeprefix("refused ")
        raise RuntimeError(f"the Java oracle answered {line!r} and has exit code {self.process.poll()}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


_xerces = None
_starting = threading.Lock()


def xerces(body, charset):
    global _xerces
    with _starting:
        if _xerces is None:
            _xerces = Xerces()
    return _xerces.ask(body, charset)
