"""A backend over bare sockets, for what no framework can be made to say.

Answers under /raw/NAME and, for pages taken from real programs, under /page/NAME.
"""

import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from faults import BARE, MENU

PAGES = Path(__file__).resolve().parent.parent / "data" / "pages"
BIG = b"<Response><Say>" + b"word " * 8000 + b"</Say></Response>"


def head(*lines, status="200 OK"):
    return "\r\n".join([f"HTTP/1.1 {status}", *lines]).encode() + b"\r\n\r\n"


def length(body, content_type="text/xml; charset=utf-8", *lines, status="200 OK"):
    return head(f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *lines, status=status) + body


def chunks(*parts, end=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def send(data):
    return lambda conn: conn.sendall(data)


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def half_then(data, end):
    def run(conn):
        conn.sendall(data)
        time.sleep(0.05)
        end(conn)

    return run


def hang(conn):
    """Until the other side gives up (or a minute is over)."""
    conn.settimeout(60)
    try:
        while conn.recv(4096):
            pass
    except OSError:
        pass


def drip(data, pause):
    def run(conn):
        for position in range(len(data)):
            conn.sendall(data[position : position + 1])
            time.sleep(pause)

    return run


def close(conn):
    conn.close()


TYPE = "Content-Type: text/xml; charset=utf-8"


@dataclass(frozen=True)
class Raw:
    run: Callable
    # "repaired", "replaced", "untouched" or "any"
    expect: str
    means: bytes | None = None


RAW = {
    # Content-Type, doubled and missing
    "type-doubled": Raw(send(head(TYPE, TYPE, f"Content-Length: {len(MENU)}") + MENU), "repaired", MENU),
    "type-doubled-different": Raw(send(head("Content-Type: text/html", TYPE, f"Content-Length: {len(MENU)}") + MENU), "repaired", MENU),
    "type-missing": Raw(send(head(f"Content-Length: {len(MENU)}") + MENU), "repaired", MENU),
    "type-folded": Raw(send(head("Content-Type: text/xml;", " charset=utf-8", f"Content-Length: {len(MENU)}") + MENU), "any"),
    "type-raw-bytes": Raw(send(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=\xff\xfe\r\nContent-Length: %d\r\n\r\n" % len(MENU) + MENU), "repaired", MENU),
    # how the body is delimited
    "until-close": Raw(send(head(TYPE, "Connection: close") + MENU), "untouched", MENU),
    "http-1.0": Raw(send(head(TYPE).replace(b"HTTP/1.1", b"HTTP/1.0") + MENU), "untouched", MENU),
    "chunked": Raw(send(head(TYPE, "Transfer-Encoding: chunked") + chunks(MENU[:10], MENU[10:])), "untouched", MENU),
    "chunked-trailer": Raw(send(head(TYPE, "Transfer-Encoding: chunked") + chunks(MENU, end=b"0\r\nX-Sum: 1\r\n\r\n")), "untouched", MENU),
    "chunked-no-end": Raw(half_then(head(TYPE, "Transfer-Encoding: chunked") + chunks(MENU, end=b""), close), "repaired", MENU),
    "chunked-empty": Raw(send(head(TYPE, "Transfer-Encoding: chunked") + b"0\r\n\r\n"), "replaced"),
    "chunked-broken-size": Raw(send(head(TYPE, "Transfer-Encoding: chunked") + b"zz\r\n" + MENU), "replaced"),
    "chunked-cut": Raw(half_then(head(TYPE, "Transfer-Encoding: chunked") + chunks(MENU[:120], end=b""), close), "replaced"),
    "length-too-long-whole-document": Raw(half_then(head(TYPE, f"Content-Length: {len(MENU) + 50}") + MENU, close), "repaired", MENU),
    "length-too-long-cut-in-end-tag": Raw(half_then(head(TYPE, f"Content-Length: {len(MENU)}") + MENU[:-4], close), "repaired", MENU),
    "length-too-long-cut": Raw(half_then(head(TYPE, f"Content-Length: {len(MENU)}") + MENU[:100], close), "replaced"),
    "length-too-long-cut-reset": Raw(half_then(head(TYPE, f"Content-Length: {len(MENU)}") + MENU[:100], reset), "replaced"),
    "length-too-short": Raw(half_then(head(TYPE, f"Content-Length: {len(MENU) - 40}") + MENU, close), "any"),
    "length-zero": Raw(half_then(head(TYPE, "Content-Length: 0") + MENU, close), "any"),
    "length-twice": Raw(send(head(TYPE, f"Content-Length: {len(MENU)}", f"Content-Length: {len(MENU) + 9}") + MENU), "repaired", MENU),
    "length-no-number": Raw(send(head(TYPE, "Content-Length: many") + MENU), "repaired", MENU),
    "length-negative": Raw(send(head(TYPE, "Content-Length: -1") + MENU), "repaired", MENU),
    # no answer
    "reset": Raw(reset, "replaced"),
    "closed": Raw(close, "replaced"),
    "closed-in-head": Raw(half_then(b"HTTP/1.1 200 OK\r\nContent-Ty", close), "replaced"),
    "reset-in-body": Raw(half_then(head(TYPE, "Content-Length: 9000") + b"<Response><Say>", reset), "replaced"),
    # no HTTP
    "smtp": Raw(send(b"220 mail.example.net ESMTP Postfix\r\n"), "replaced"),
    "ssh": Raw(send(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), "replaced"),
    "tls-alert": Raw(send(b"\x15\x03\x01\x00\x02\x02\x46"), "replaced"),
    "bare-document": Raw(send(MENU), "any"),
    "bare-html": Raw(send(b"<html><body>Bad Request</body></html>"), "replaced"),
    "status-line-broken": Raw(send(b"HTTP/1.1 abc OK\r\n\r\n"), "replaced"),
    "status-000": Raw(send(head(TYPE, status="000 Nothing") + MENU), "any"),
    "status-999": Raw(send(length(b"Request denied", "text/plain", status="999 Request denied")), "replaced"),
    "status-299": Raw(send(length(MENU, status="299 Fine")), "any"),
    "http-2-preface": Raw(send(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)), "replaced"),
    # interim answers
    "continue-first": Raw(send(b"HTTP/1.1 100 Continue\r\n\r\n" + length(MENU)), "untouched", MENU),
    "early-hints-first": Raw(send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + length(MENU)), "untouched", MENU),
    "switching-unasked": Raw(send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), "replaced"),
    # headers that Twilio refuses, or too many of them
    "cookie-control-character": Raw(send(length(MENU, TYPE[14:], "Set-Cookie: a=1\x0b2; Path=/")), "repaired", MENU),
    "cookie-without-name": Raw(send(length(MENU, TYPE[14:], "Set-Cookie: =x; Path=/")), "repaired", MENU),
    "header-without-colon": Raw(send(head(TYPE, "Nonsense", f"Content-Length: {len(MENU)}") + MENU), "untouched", MENU),
    "headers-bare-newlines": Raw(send(length(MENU).replace(b"\r\n", b"\n", 3)), "untouched", MENU),
    "headers-huge": Raw(send(head(TYPE, *[f"X-{n}: {'v' * 900}" for n in range(400)], f"Content-Length: {len(MENU)}") + MENU), "repaired", MENU),
    # sizes
    "40-kilobytes": Raw(send(length(BIG)), "untouched", BIG),
    "far-too-long": Raw(send(length(b"<Response><Say>" + b"x" * 4_000_000 + b"</Say></Response>")), "replaced"),
    "endless": Raw(lambda conn: [conn.sendall(b"x" * 65536) for _ in range(2000)], "replaced"),
    # TwiML without declaration through every framing
    "bare-chunked-small": Raw(send(head(TYPE, "Transfer-Encoding: chunked") + chunks(*[BARE[n : n + 7] for n in range(0, len(BARE), 7)])), "untouched", BARE),
}

LENGTH = f"Content-Length: {len(MENU)}"
CUT = b"<Response><Dial>+1555010"


def odd_status(line):
    """A whole document behind this in place of the status line."""
    return line + b"\r\n" + head(TYPE, LENGTH).partition(b"\r\n")[2] + MENU


def odd_framing(*lines, body=MENU, status=b"HTTP/1.1 200 OK"):
    """A body announced by these lines."""
    return status + b"\r\n" + head(TYPE, *lines).partition(b"\r\n")[2] + body


def odd_line(line):
    """A header line that readers pass over or refuse the whole head for."""
    return head(TYPE, "X-Before: 1").removesuffix(b"\r\n") + line + b"\r\n" + LENGTH.encode() + b"\r\n\r\n" + MENU


def run_odd(name):
    """Sends it; where something is odd, the connection stays open and silent, and must not be used again."""

    def run(conn):
        data, _, cause = ODD[name]
        conn.sendall(data)
        if cause:
            hang(conn)

    return run


CHUNKS = chunks(MENU[:40], MENU[40:])

# Heads that HTTP readers refuse, or of which they hide lines: outcome, document, and the cause that is logged.
ODD = {
    "status-two-blanks": (odd_status(b"HTTP/1.1  200 OK"), "repaired", "status-line-malformed"),
    "status-no-blank": (odd_status(b"HTTP/1.1 200OK"), "repaired", "status-line-malformed"),
    "status-tab": (odd_status(b"HTTP/1.1\t200 OK"), "repaired", "status-line-malformed"),
    "status-icy": (odd_status(b"ICY 200 OK"), "repaired", "status-line-malformed"),
    "status-http-2": (odd_status(b"HTTP/2 200"), "repaired", "status-line-malformed"),
    "status-http-1.2": (odd_status(b"HTTP/1.2 200 OK"), "repaired", "status-line-malformed"),
    "status-no-version": (odd_status(b"HTTP 200 OK"), "repaired", "status-line-malformed"),
    "status-lower-case": (odd_status(b"http/1.1 200 ok"), "repaired", "status-line-malformed"),
    "status-of-a-cgi": (odd_status(b"Status: 200 OK"), "repaired", "status-line-malformed"),
    "status-behind-a-mark": (odd_status(b"\xef\xbb\xbfHTTP/1.1 200 OK"), "repaired", "status-line-malformed"),
    "status-control-character": (odd_status(b"HTTP/1.1 200 O\x00K"), "repaired", "status-line-malformed"),
    "status-no-reason": (odd_status(b"HTTP/1.1 200"), "untouched", None),
    "status-no-status": (odd_status(b"HTTP/1.1 OK"), "replaced", "not-http"),
    "status-of-four-digits": (odd_status(b"HTTP/1.1 2000 OK"), "replaced", "not-http"),
    "line-nul": (odd_line(b"X-Build: a\x00b"), "repaired", "head-malformed"),
    "line-bare-return": (odd_line(b"X-Name: a\rb"), "repaired", "head-malformed"),
    "line-two-returns": (odd_line(b"X-Name: a\r"), "repaired", "head-malformed"),
    "line-without-colon": (odd_line(b"Nonsense"), "untouched", "header-malformed"),
    "line-without-name": (odd_line(b": nobody"), "untouched", "header-malformed"),
    "line-name-with-blank": (odd_line(b"X Powered By: PHP"), "untouched", "header-malformed"),
    "line-control-character": (odd_line(b"X-Caller: \x0b"), "untouched", "header-malformed"),
    "line-blank-before-colon": (odd_line(b"X-Name : b"), "untouched", None),
    "line-folded": (odd_line(b"X-Name: a\r\n b"), "untouched", None),
    "line-cookie-vertical-tab": (odd_line(b"Set-Cookie: a=b\x0bc"), "repaired", "cookie-refused"),
    "line-cookie-bare-return": (odd_line(b"Set-Cookie: a=b\rSet-Cookie: c=d"), "repaired", "head-malformed"),
    "no-blank-line": (head(TYPE).removesuffix(b"\r\n") + MENU, "repaired", "head-malformed"),
    "framing-no-number": (odd_framing("Content-Length: many"), "repaired", "content-length-invalid"),
    "framing-negative": (odd_framing("Content-Length: -5"), "repaired", "content-length-invalid"),
    "framing-empty": (odd_framing("Content-Length:"), "repaired", "content-length-invalid"),
    "framing-absurd": (odd_framing("Content-Length: 99999999999999999999"), "repaired", "content-length-invalid"),
    "framing-two-lengths": (odd_framing(LENGTH, "Content-Length: 12"), "repaired", "content-length-invalid"),
    "framing-two-in-a-line": (odd_framing(LENGTH + ", 12"), "repaired", "content-length-invalid"),
    "framing-the-same-twice": (odd_framing(LENGTH, LENGTH), "untouched", None),
    "framing-no-number-something-follows": (odd_framing("Content-Length: x", body=MENU + b"\nHTTP/1.1 200 OK\r\n"), "replaced", "content-length-invalid"),
    "framing-no-number-cut": (odd_framing("Content-Length: x", body=CUT), "replaced", "content-length-invalid"),
    "framing-two-lengths-cut": (odd_framing("Content-Length: 400", "Content-Length: 500", body=CUT), "replaced", "content-length-invalid"),
    "framing-chunks-renamed": (odd_framing("Transfer-Encoding: xchunked", body=CHUNKS), "repaired", "transfer-coding-invalid"),
    "framing-chunks-not-last": (odd_framing("Transfer-Encoding: chunked, identity", body=CHUNKS), "repaired", "transfer-coding-invalid"),
    "framing-chunks-in-1.0": (odd_framing("Transfer-Encoding: chunked", status=b"HTTP/1.0 200 OK", body=CHUNKS), "repaired", "transfer-coding-invalid"),
    "framing-chunks-hidden": (odd_framing("Transfer-Encoding: \x0bchunked", body=CHUNKS), "repaired", "transfer-coding-invalid"),
    "framing-chunks-twice": (odd_framing("Transfer-Encoding: chunked", body=chunks(CHUNKS)), "repaired", "transfer-coding-invalid"),
    "framing-chunks-renamed-cut": (odd_framing("Transfer-Encoding: xchunked", body=CHUNKS[:90]), "replaced", "transfer-coding-invalid"),
}
# These would hang to the end of the budget for the rest of a body that never comes.
WAITS = {"framing-no-number-something-follows", "framing-no-number-cut", "framing-two-lengths-cut", "framing-chunks-renamed-cut"}

# Never ready within a budget of a second.
SLOW = {
    "head-never": Raw(hang, "replaced"),
    "body-never": Raw(lambda conn: (conn.sendall(head(TYPE, "Content-Length: 500")), hang(conn)), "replaced"),
    "body-never-whole-document": Raw(lambda conn: (conn.sendall(head(TYPE, "Content-Length: 5000") + MENU), hang(conn)), "any"),
    "stops-in-head": Raw(lambda conn: (conn.sendall(b"HTTP/1.1 200 OK\r\nContent-"), hang(conn)), "replaced"),
    "drips-head": Raw(drip(head(TYPE, *[f"X-{n}: y" for n in range(20)]), 0.05), "replaced"),
    "drips-body": Raw(drip(head(TYPE, f"Content-Length: {len(MENU)}") + MENU, 0.02), "replaced"),
    "drips-chunks": Raw(lambda conn: (conn.sendall(head(TYPE, "Transfer-Encoding: chunked")), drip(chunks(*[MENU[n : n + 1] for n in range(len(MENU))]), 0.02)(conn)), "replaced"),
    "late": Raw(lambda conn: (time.sleep(2.5), conn.sendall(length(MENU))), "replaced"),
}


class Backend:
    def __init__(self, port=0):
        self.seen = []
        self.socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # Without the shutdown a thread that waits in accept() would take one more connection.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        try:
            request = self._read(conn)
            if request is None:
                return
            self.seen.append(request)
            path = request.split(b" ", 2)[1].decode("latin-1").split("?")[0]
            kind, _, name = path.removeprefix("/").partition("/")
            if kind == "page":
                # As taken, they say nothing of the connection, which ends here.
                page = (PAGES / f"{name}.http").read_bytes()
                conn.sendall(page.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            elif kind == "raw":
                (run_odd(name) if name in ODD else (RAW.get(name) or SLOW[name]).run)(conn)
            else:
                conn.sendall(length(MENU, "text/xml; charset=utf-8", "Connection: close"))
        except OSError:
            pass  # the other side has closed, which many of these answers provoke
        finally:
            try:
                conn.shutdown(socket.SHUT_WR)
                conn.settimeout(1)
                while conn.recv(65536):
                    pass
            except OSError:
                pass
            conn.close()

    @staticmethod
    def _read(conn):
        """One request: head and as much body as Content-Length tells."""
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = conn.recv(65536)
            if not chunk:
                return None
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        want = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                want = int(value)
        while len(body) < want:
            chunk = conn.recv(65536)
            if not chunk:
                break
            body += chunk
        return head + b"\r\n\r\n" + body
