"""Raw HTTP/1.1 over a socket: what a page looks like before any client library has tidied it."""

import socket
import time


class Answer:
    """A response split into status line, header pairs (order and case kept) and body."""

    def __init__(self, status_line, headers, body, framing):
        self.status_line = status_line
        self.headers = headers
        self.body = body
        self.framing = framing

    @property
    def status(self):
        return int(self.status_line.split(b" ", 2)[1])

    def to_bytes(self):
        head = [self.status_line]
        head += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join(head) + b"\r\n\r\n" + self.body


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, seconds=60):
    """Returns once the port answers; raises when the process ends or the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} did not listen on {port} within {seconds} s")


def exchange(port, request, timeout=30):
    """Sends the bytes and reads until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as conn:
        conn.sendall(request)
        chunks = []
        while True:
            try:
                chunk = conn.recv(65536)
            except ConnectionResetError:
                break
            if not chunk:
                break
            chunks.append(chunk)
    return b"".join(chunks)


def request(method, path, body=b"", headers=(), host="pbx.example.com"):
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + host.encode(), b"Connection: close"]
    if body or method == "POST":
        lines.append(b"Content-Type: application/x-www-form-urlencoded; charset=UTF-8")
        lines.append(b"Content-Length: %d" % len(body))
    if "Accept" not in dict(headers):
        lines.append(b"Accept: */*")
    lines.append(b"User-Agent: TwilioProxy/1.1")
    lines += [name.encode() + b": " + value.encode() for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def parse(raw):
    """Splits a raw response; a chunked body is joined, since fixtures are read to their end."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        raise ValueError(f"no end of headers in {raw[:200]!r}")
    lines = head.split(b"\r\n")
    headers = []
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        headers.append((name, value.strip()))
    framing = "close"
    for name, value in headers:
        if name.lower() == b"transfer-encoding" and value.lower() == b"chunked":
            framing = "chunked"
        elif name.lower() == b"content-length":
            framing = "length"
    if framing == "chunked":
        body = _join_chunks(body)
        headers = [pair for pair in headers if pair[0].lower() != b"transfer-encoding"]
    return Answer(lines[0], headers, body, framing)


def _join_chunks(body):
    out = []
    while body:
        size_line, _, body = body.partition(b"\r\n")
        size = int(size_line.split(b";")[0], 16)
        if size == 0:
            break
        out.append(body[:size])
        body = body[size + 2 :]
    return b"".join(out)
