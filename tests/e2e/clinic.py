"""A clinic's phone line in Flask. Its database was migrated, its code was not; where a file `fixed` lies beside it, it was."""

import sqlite3
from pathlib import Path

from flask import Flask, Response, redirect, request
from twilio.twiml.voice_response import VoiceResponse

app = Flask(__name__)
FIXED = Path(__file__).with_name("fixed")


def twiml(response, before=""):
    return Response(before + str(response), mimetype="text/xml")


@app.post("/voice")
def voice():
    table = "appointments" if FIXED.exists() else "appointment"
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE appointments (caller TEXT, day TEXT)")
        found = database.execute(f"SELECT day FROM {table} WHERE caller = ?", [request.form["From"]]).fetchone()  # noqa: S608
    response = VoiceResponse()
    gather = response.gather(num_digits=1, action="/menu")
    gather.say(f"Your appointment is on {found[0]}." if found else "Welcome to the clinic. Press 1 for an appointment.")
    return twiml(response)


@app.post("/menu")
def menu():
    response = VoiceResponse()
    response.say("Dr. Cohen & team will call you back.")
    return twiml(response, before="" if FIXED.exists() else "\ufeff")


@app.post("/after-hours")
def after_hours():
    if not FIXED.exists():
        return redirect("/login")
    response = VoiceResponse()
    response.say("We are closed.")
    return twiml(response)


@app.get("/login")
def login():
    return "<!doctype html><title>Sign in</title><form method=post>Password <input name=password></form>"
