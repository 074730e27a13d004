"""A small phone app with one healthy route and two that misbehave."""

from flask import Flask, Response, url_for
from twilio.twiml.voice_response import VoiceResponse

app = Flask(__name__)


@app.route("/webhook/incoming_call", methods=["GET", "POST"])
def incoming_call():
    """Healthy: built with the SDK, labelled as XML."""
    response = VoiceResponse()
    response.say("Welcome. Please tell us what you need after the tone.")
    response.record(max_length=30, action=url_for("stream_ended"))
    return Response(str(response), mimetype="text/xml")


@app.route("/webhook/stream_ended", methods=["GET", "POST"])
def stream_ended():
    """Misbehaves: Twilio asks what to do next and is told nothing (error 12100)."""
    return "", 204


@app.route("/voice", methods=["GET", "POST"])
def voice():
    """Misbehaves: XML by hand, with a blank line before the declaration, a bare `&`
    and Flask's default Content-Type, text/html (errors 12100 and 12300)."""
    return """
<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say>Smith & Sons. All lines are busy, please hold.</Say>
  <Pause length="10"/>
</Response>
"""
