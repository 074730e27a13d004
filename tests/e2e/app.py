"""A Flask app as teams have them: healthy TwiML routes, a signature check, media, streams, and every fault as a route.

    python app.py [PORT]      serves it on 127.0.0.1 (default: 5000)

What it was asked is kept in `app.config["SEEN"]` for the tests.
"""

import hashlib
import os
import sys
import time
from urllib.parse import urlsplit

from flask import Flask, Response, abort, redirect, request
from flask_sock import Sock
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Connect, VoiceResponse
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import WSGIRequestHandler, make_server

from faults import FAULTS, HOST, MENU
from twilio_side import TOKEN

app = Flask(__name__)
app.config["SEEN"] = []
# A doubled slash is part of what Twilio signs.
app.url_map.merge_slashes = False
app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": None}
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
sock = Sock(app)
BOTH = ["GET", "POST"]


def xml(response, **headers):
    answer = Response(str(response), content_type="text/xml; charset=utf-8")
    for name, value in headers.items():
        answer.headers[name.replace("_", "-")] = value
    return answer


@app.before_request
def remember():
    app.config["SEEN"].append((request.method, request.environ["RAW_URI"], list(request.headers.items())))


# Healthy ---------------------------------------------------------------------------------------------


@app.route("/webhook/incoming_call", methods=BOTH)
def incoming_call():
    response = VoiceResponse()
    response.say("Connecting you.", language="en-US")
    connect = Connect(action=f"https://{HOST}/webhook/stream_ended")
    stream = connect.stream(url=f"wss://{HOST}/ws/twilio-media", status_callback=f"https://{HOST}/webhook/stream_status")
    stream.parameter(name="CallSid", value=request.values.get("CallSid", ""))
    response.append(connect)
    return xml(response)


@app.post("/voice")
def voice():
    return Response(MENU, content_type="text/xml; charset=utf-8")


@app.post("/voice/headers")
def voice_headers():
    answer = Response(MENU, content_type="application/xml")
    answer.headers["X-App"] = "pbx"
    answer.headers["ETag"] = '"v1"'
    answer.headers["Cache-Control"] = "max-age=60"
    answer.headers.add("Set-Cookie", "a=1; Path=/")
    answer.headers.add("Set-Cookie", "b=2; Path=/; HttpOnly")
    return answer


@app.post("/voice/broken_headers")
def voice_broken_headers():
    answer = voice_headers()
    answer.content_type = "text/plain"
    answer.headers["Last-Modified"] = "Thu, 01 Jan 2026 00:00:00 GMT"
    return answer


@app.post("/voice/chunked")
def voice_chunked():
    def parts():
        for start in range(0, len(MENU), 50):
            yield MENU[start : start + 50]

    return Response(parts(), content_type="text/xml; charset=utf-8")


@app.post("/voice/bare")
def voice_bare():
    return Response("<Response><Hangup/></Response>", content_type="text/xml")


@app.post("/voice/audio")
def voice_audio():
    return Response(b"ID3\x03\x00\x00" + bytes(200), content_type="audio/mpeg")


@app.post("/voice/prose")
def voice_prose():
    return Response("Hello and welcome to the clinic, please hold the line.", content_type="text/plain")


@app.post("/sms")
def sms():
    response = MessagingResponse()
    response.message(f"You said: {request.form['Body']}")
    return xml(response)


@app.post("/webhook/stream_status")
def stream_status():
    return "", 204


@app.post("/webhook/stream_ended")
def stream_ended():
    return "", 204


@app.post("/slow/<float:seconds>")
def slow(seconds):
    time.sleep(seconds)
    return Response(MENU, content_type="text/xml; charset=utf-8")


# Signature -------------------------------------------------------------------------------------------


@app.route("/signed", methods=BOTH)
@app.route("/signed/<path:rest>", methods=BOTH)
def signed(rest=""):
    """Checks as Twilio's documentation shows, over the URL that Twilio asked for, byte for byte."""
    url = f"{request.scheme}://{request.host}{request.environ['RAW_URI']}"
    given = request.headers.get("X-Twilio-Signature", "")
    if not RequestValidator(TOKEN).validate(url, request.form, given):
        abort(403)
    response = VoiceResponse()
    response.say(f"Signature fits, {request.method} with {len(request.values)} values.")
    return xml(response)


# Redirects -------------------------------------------------------------------------------------------


@app.route("/told", methods=BOTH)
def told():
    """Says how it was asked."""
    response = VoiceResponse()
    response.say(f"{request.method} {request.scheme} {request.values.get('CallSid', 'no CallSid')} {request.args.get('keep', '')}")
    return xml(response)


@app.route("/redirect/<int:code>/<kind>", methods=BOTH)
def redirected(code, kind):
    port = request.environ["SERVER_PORT"]
    target = {
        "relative": "/told",
        "with-query": "/told?keep=1",
        "public": f"https://{HOST}/told",
        "public-http": f"http://{HOST}/told",
        "upstream": f"http://127.0.0.1:{app.config.get('PORT', port)}/told",
        "foreign": "https://login.example.net/sso",
        "loop": f"/redirect/{code}/loop",
        "two-hops": f"/redirect/{code}/relative",
        "three-hops": f"/redirect/{code}/two-hops",
        "four-hops": f"/redirect/{code}/three-hops",
        "page": "/page",
        "signed": "/signed/again",
        "nowhere": "/no/such/page",
    }[kind]
    answer = Response("moved", status=code, content_type="text/html")
    answer.headers["Location"] = target
    answer.autocorrect_location_header = False
    return answer


@app.route("/redirect/<int:code>/no-location", methods=BOTH)
def redirect_without_location(code):
    return Response("moved", status=code, content_type="text/html")


@app.route("/secure", methods=BOTH)
def secure():
    """An app that wants https and only believes X-Forwarded-Proto."""
    if request.scheme != "https":
        return redirect(f"https://{request.host}/secure", code=301)
    return told()


@app.post("/folder/")
def folder():
    """Flask answers /folder with 308 to here."""
    return told()


@app.route("/page", methods=BOTH)
def page():
    return "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"


# Methods ---------------------------------------------------------------------------------------------


@app.get("/only_get")
def only_get():
    return told()


@app.post("/only_post")
def only_post():
    return told()


@app.route("/refuses_both", methods=BOTH)
def refuses_both():
    return Response("no", status=405, headers={"Allow": "PUT"})


@app.get("/missing_by_post")
def missing_by_post():
    return told()


@app.post("/missing_by_post")
def missing_by_post_posted():
    abort(404)


# Pass-through ----------------------------------------------------------------------------------------


@app.post("/upload")
def upload():
    digest, size = hashlib.sha256(), 0
    while chunk := request.stream.read(65536):
        digest.update(chunk)
        size += len(chunk)
    return {"sha256": digest.hexdigest(), "bytes": size}


@app.get("/download/<int:size>")
def download(size):
    block = bytes(range(256)) * 256

    def parts():
        left = size
        while left > 0:
            yield block[: min(left, len(block))]
            left -= len(block)

    return Response(parts(), content_type="application/octet-stream", headers={"Content-Length": str(size)})


@app.get("/events")
def events():
    def stream():
        for number in range(5):
            yield f"data: {number}\n\n"
            time.sleep(0.2)

    return Response(stream(), content_type="text/event-stream")


@app.route("/anything/<path:rest>", methods=["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "POST"])
def anything(rest):
    answer = Response(f"{request.method} {rest}", status=int(request.args.get("status", 200)))
    answer.headers["X-Method"] = request.method
    return answer


@sock.route("/ws/twilio-media")
def media(ws):
    """Echoes text and binary frames; closes with 1000 on `bye`."""
    while True:
        frame = ws.receive()
        if frame == "bye":
            ws.close(1000, "bye")
            return
        ws.send(frame)


@app.route("/ws/refused", websocket=True)
def refused():
    abort(403)


# Faults ----------------------------------------------------------------------------------------------
for _fault in FAULTS:
    app.add_url_rule(_fault.path, endpoint=_fault.path, view_func=_fault.view, methods=BOTH)


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args, **kwargs):
        pass


def serve(port=0):
    """A threaded server that is not yet running; port 0 takes a free one."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)
    app.config["PORT"] = server.server_port
    return server


if __name__ == "__main__":
    running = serve(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
    print(f"listening on 127.0.0.1:{running.server_port}", flush=True)
    running.serve_forever()
