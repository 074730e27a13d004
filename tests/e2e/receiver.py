"""A stand-in for whoever is posted to: a webhook, or an OpenTelemetry collector."""

import gzip
import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Post:
    path: str
    headers: dict
    body: bytes
    at: float


class Receiver:
    """Answers posts with what `answers` holds, one after the other: (status, headers, seconds to wait, and a body
    if it is not "ok"); then with 200.

    With a certificate and its key (paths) it speaks TLS.
    """

    def __init__(self, *answers, port=0, certificate=None):
        self.answers = list(answers)
        self.posts = []
        self.arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                with receiver.arrived:
                    headers = {key.lower(): value for key, value in self.headers.items()}
                    receiver.posts.append(Post(self.path, headers, body, time.monotonic()))
                    status, more, wait, *said = receiver.answers.pop(0) if receiver.answers else (200, {}, 0)
                    said = said[0] if said else b"ok"
                    receiver.arrived.notify_all()
                time.sleep(wait)
                try:
                    self.send_response(status)
                    for name, value in more.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)
                except OSError:
                    pass  # it did not wait

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.scheme = "http"
        if certificate:
            self.scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def url(self, path=""):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def wait(self, count, timeout=30):
        """The first `count` posts; waits for them."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.posts) >= count, timeout), f"{len(self.posts)} of {count} posts: {self.posts}"
            return self.posts[:count]

    def until(self, found, timeout=30):
        """The first true value that `found` makes of all posts so far; waits for it."""
        with self.arrived:
            values = []
            assert self.arrived.wait_for(lambda: values.append(found(self.posts)) or values[-1], timeout), self.posts
            return values[-1]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
