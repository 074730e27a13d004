"""Voice agents as teams write them, on real libraries: Flask with flask-sock, and Starlette on uvicorn with websockets.

`FAULTS` is what is wrong at the moment; a fault is one word or value per place. What was asked is kept in `SEEN`.
"""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import uvicorn
from flask import Flask, Response, abort, redirect, request
from flask_sock import Sock
from starlette.applications import Starlette
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route, WebSocketRoute
from twilio.request_validator import RequestValidator
from werkzeug.serving import WSGIRequestHandler, make_server

from twilio_side import HOST, TOKEN

FAULTS = json.loads(os.environ.get("AGENT_FAULTS", "{}"))
SEEN = []
# One second of mu-law silence in frames of 20 ms.
FRAME = base64.b64encode(b"\xff" * 160).decode()
INDEX = "<!doctype html><html><head><title>Voice desk</title></head><body><div id=\"root\"></div><script src=\"/assets/index.js\"></script></body></html>"
BOTH = ["GET", "POST"]
EMPTY = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>"
GOODBYE = "<Response><Say>Thank you, goodbye.</Say><Hangup/></Response>"


def entry_document(sid):
    """What the voice webhook answers, with the faults of its TwiML."""
    stream = FAULTS.get("stream", f"wss://{HOST}/ws/twilio-media")
    action = FAULTS.get("action_url", f"https://{HOST}/webhook/stream_ended")
    play = f"<Play>{FAULTS['play']}</Play>" if "play" in FAULTS else ""
    say = FAULTS.get("say", '<Say language="en-US">Connecting you.</Say>')
    parameter = FAULTS.get("parameter", sid)
    return (f'<?xml version="1.0" encoding="UTF-8"?><Response>{play}{say}<Connect action="{action}">'
            f'<Stream url="{stream}" statusCallback="https://{HOST}/webhook/stream_status"{FAULTS.get("stream_attributes", "")}>'
            f'<Parameter name="CallSid" value="{parameter}"/></Stream></Connect></Response>')


# Flask -----------------------------------------------------------------------------------------------

app = Flask(__name__)
app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": None}
sock = Sock(app)


def xml(text):
    return Response(text, content_type="text/xml; charset=utf-8")


@app.before_request
def remember():
    SEEN.append((request.method, request.path, request.values.to_dict(), dict(request.headers)))


@app.before_request
def check_signature():
    """As teams behind a proxy rebuild the URL: with `http`, without the query, or rightly."""
    how = FAULTS.get("signature")
    if how is None or not request.path.startswith("/webhook/"):
        return None
    url = {"http": request.url, "no-query": f"https://{request.host}{request.path}", "right": f"https://{request.host}{request.full_path.rstrip('?')}"}[how]
    if not RequestValidator(TOKEN).validate(url, request.form, request.headers.get("X-Twilio-Signature", "")):
        abort(403)
    return None


def answered(fault):
    """What an entry, action or callback route answers when it is broken."""
    if fault == "204":
        return "", 204
    if fault == "empty":
        return Response("", content_type="text/html")
    if fault == "database":
        return Response('{"error":"server_error"}', status=500, content_type="application/json")
    if fault == "name-error":
        raise NameError("name 'caller_nme' is not defined")
    if fault.startswith("slow-"):
        time.sleep(float(fault.removeprefix("slow-")))
        return "", 204
    raise AssertionError(fault)


@app.post("/webhook/incoming_call")
def incoming_call():
    if "entry" in FAULTS:
        return answered(FAULTS["entry"])
    return xml(entry_document(request.form.get("CallSid", "")))


@app.post("/webhook/stream_ended")
def stream_ended():
    return answered(FAULTS["action"]) if "action" in FAULTS else xml(GOODBYE)


@app.post("/webhook/stream_status")
@app.post("/webhook/call_status")
def status():
    return answered(FAULTS["status"]) if "status" in FAULTS else ("", 204)


@app.post("/webhook/menu")
def menu():
    return xml(f'<Response><Gather numDigits="1" action="https://{HOST}/webhook/picked"><Say>Press 1 for the desk.</Say></Gather></Response>')


@app.post("/webhook/picked")
def picked():
    return xml(f'<Response><Dial action="https://{HOST}/webhook/dialled"><Number>+15550100009</Number></Dial></Response>')


@app.post("/webhook/dialled")
def dialled():
    return xml('<Response><Say>Leave a message.</Say><Record maxLength="20" action="/webhook/recorded" '
               'recordingStatusCallback="/webhook/call_status"/></Response>')


@app.post("/webhook/recorded")
def recorded():
    return xml(EMPTY)


@app.post("/sms")
def sms():
    return xml("<Response><Message>Got it.</Message></Response>")


@app.post("/")
def root_moved():
    """A console that was given the bare host: the team's edge sends it on."""
    return redirect("/webhook/incoming_call", code=301)


@app.route("/", methods=["GET"])
@app.route("/<path:rest>", methods=["GET"])
def index(rest=""):
    """The single page app answers whatever nobody else does."""
    return Response(INDEX, content_type="text/html; charset=utf-8")


@app.route("/spa/<path:rest>", methods=BOTH)
def catch_all(rest):
    return Response(INDEX, content_type="text/html; charset=utf-8")


@app.route("/api/<path:rest>", methods=BOTH)
def api(rest):
    return Response('{"detail":"Not Found"}', status=404, content_type="application/json")


@app.get("/audio/hello.mp3")
def hello():
    return Response(b"ID3\x03\x00\x00" + bytes(200), content_type="audio/mpeg")


@app.get("/ws/plain")
def plain_route():
    """Written as a stream, registered as a page."""
    return "socket"


@app.route("/ws/unsupported", websocket=True)
def unsupported():
    return Response("Not Implemented", status=501, content_type="text/plain")


@sock.route("/ws/twilio-media")
def media(ws):
    how = FAULTS.get("ws")
    if how == "dies":
        return
    if how == "raises":
        ws.receive(timeout=2)
        raise KeyError("deepgram")
    begun, stream = time.monotonic(), ""
    while True:
        message = json.loads(ws.receive())
        if message["event"] == "start":
            stream = message["streamSid"]
        if message["event"] == "media" and how != "silent":
            ws.send(json.dumps({"event": "media", "streamSid": stream, "media": {"payload": FRAME}}))
        if message["event"] == "stop" or (how == "ends" and time.monotonic() - begun > 0.6):
            return


# Starlette -------------------------------------------------------------------------------------------


def starlette_answer(text="", status=200, content_type="text/xml"):
    return StarletteResponse(text, status_code=status, headers={"content-type": content_type} if text else None)


async def async_form(request):
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    SEEN.append(("POST", request.url.path, form, dict(request.headers)))
    return form


async def async_incoming_call(request):
    form = await async_form(request)
    return starlette_answer(entry_document(form.get("CallSid", "")))


async def async_stream_ended(request):
    await async_form(request)
    return starlette_answer(status=204) if FAULTS.get("action") == "204" else starlette_answer(GOODBYE)


async def async_status(request):
    await async_form(request)
    return starlette_answer(status=204)


async def async_media(ws):
    how = FAULTS.get("ws")
    if how == "refuses":
        await ws.close()
        return
    await ws.accept()
    if how == "dies":
        await ws.close(1000)
        return
    if how == "raises":
        await ws.receive_text()
        raise KeyError("deepgram")
    begun, stream = time.monotonic(), ""
    while True:
        message = json.loads(await ws.receive_text())
        if message["event"] == "start":
            stream = message["streamSid"]
        if message["event"] == "media":
            await ws.send_text(json.dumps({"event": "media", "streamSid": stream, "media": {"payload": FRAME}}))
        if how == "ends" and time.monotonic() - begun > 0.6:
            await ws.close(1000)
            return
        if message["event"] == "stop":
            return


starlette = Starlette(routes=[
    Route("/webhook/incoming_call", async_incoming_call, methods=["POST"]),
    Route("/webhook/stream_ended", async_stream_ended, methods=["POST"]),
    Route("/webhook/stream_status", async_status, methods=["POST"]),
    WebSocketRoute("/ws/twilio-media", async_media),
])


# Servers ---------------------------------------------------------------------------------------------


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *args, **kwargs):
        pass

    def log(self, *args, **kwargs):
        pass


@contextmanager
def flask_agent():
    """Werkzeug's threaded server; gives the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@contextmanager
def starlette_agent():
    """uvicorn with the websockets library; gives the port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(starlette, ws="websockets-sansio", http="h11", log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(5)
    listener.close()


@contextmanager
def gunicorn_agent(**faults):
    """gunicorn with threads; gives the port, which the kernel chose for the socket that it inherits."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    command = [sys.executable, "-m", "gunicorn", "agents:app", "--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "1",
               "--bind", f"fd://{listener.fileno()}", "--log-level", "critical"]
    process = subprocess.Popen(command, cwd=Path(__file__).parent, env=os.environ | {"AGENT_FAULTS": json.dumps(faults)},
                               pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield listener.getsockname()[1]
    finally:
        process.terminate()
        process.wait(10)
        listener.close()
