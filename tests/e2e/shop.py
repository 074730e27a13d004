"""A small Flask app that is broken, fixed, or broken in another way, as the file `mode` beside it says."""

import os
from pathlib import Path

from flask import Flask, Response, abort, request
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import VoiceResponse
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask(__name__)
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
app.config["SEEN"] = []
MODE = Path(os.environ.get("SHOP_MODE") or Path(__file__).with_name("mode"))
TOKEN = "0123456789abcdef0123456789abcdef"

BROKEN = {
    "ampersand": ("<Response><Say>Fish & chips</Say></Response>", 200, "text/xml"),
    "bom": ("\ufeff<?xml version='1.0'?><Response><Say>Hello</Say></Response>", 200, "text/xml"),
    "page": ("<!DOCTYPE html><html><body><h1>OperationalError</h1></body></html>", 500, "text/html"),
    "json": ('{"status": "ok"}', 200, "application/json"),
    "hostile": ("\"\"\" \'\'\' $(touch owned) `touch owned` \\ \n#\r\n\u2028</Response>", 200, 'text/xml; x="$(touch owned)"'),
    "untyped": ("<Response><Say>Hello</Say></Response>", 200, "text/plain"),
}


@app.before_request
def remember():
    app.config["SEEN"].append((request.method, request.full_path, request.form.to_dict(flat=False), dict(request.headers)))


def answer(kind):
    mode = MODE.read_text().strip()
    if mode == "broken":
        body, status, content_type = BROKEN[kind]
        return Response(body, status=status, content_type=content_type)
    if mode == "other":
        return Response("[1, 2]", content_type="application/json")
    response = VoiceResponse()
    response.say("Fish & chips")
    return Response(str(response), content_type="text/xml; charset=utf-8")


@app.route("/voice/<kind>", methods=["GET", "POST"])
@app.route("/voice/<kind>/<path:rest>", methods=["GET", "POST"])
def voice(kind, rest=""):
    return answer(kind)


@app.route("/signed/<kind>", methods=["GET", "POST"])
def signed(kind):
    """Checks as Twilio's documentation shows."""
    given = request.headers.get("X-Twilio-Signature", "")
    if not RequestValidator(TOKEN).validate(request.url, request.form, given):
        abort(403)
    return answer(kind)
