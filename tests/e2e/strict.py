"""A Flask app that checks every webhook with Twilio's SDK, as teams write it: over the public URL, or over the one that Flask sees."""

import contextlib
import threading

from flask import Flask, Response, abort, request
from flask_sock import Sock
from twilio.request_validator import RequestValidator
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import WSGIRequestHandler, make_server

from twilio_side import TOKEN

MENU = "<Response><Say>Welcome</Say></Response>"


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args, **kwargs):
        pass


def make(believes_the_front):
    app = Flask(__name__)
    app.config["SEEN"] = []
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": None}
    if believes_the_front:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
    sock = Sock(app)

    def checked():
        app.config["SEEN"].append(request.environ["RAW_URI"])
        given = request.headers.get("X-Twilio-Signature", "")
        parameters = request.get_data(as_text=True) if request.is_json else request.form
        # Flask's own `request.url` undoes escapes.
        url = f"{request.scheme}://{request.host}{request.environ['RAW_URI']}"
        if not RequestValidator(TOKEN).validate(url, parameters, given):
            abort(403)

    @app.route("/voice", methods=["GET", "POST"])
    def voice():
        checked()
        return Response(MENU, content_type="text/xml; charset=utf-8")

    @sock.route("/media")
    def media(ws):
        app.config["SEEN"].append("/media")
        ws.send(ws.receive())

    return app


@contextlib.contextmanager
def serving(believes_the_front=True):
    """The running app: its port, and the targets that reached its check."""
    app = make(believes_the_front)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, app.config["SEEN"]
    finally:
        server.shutdown()
        thread.join(5)
