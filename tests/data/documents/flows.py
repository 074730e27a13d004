"""Documents as applications have them, later steps of a call, and long ones."""

from twilio.twiml.voice_response import Dial, VoiceResponse

from .shelf import HOST, add, document


@document("voice")
def business_hours(r):
    r.say("We're closed until 9 o'clock tomorrow.")
    gather = r.gather(num_digits=1, action="/closed?day=mon&until=09%3A00", timeout=5)
    gather.say("Press 1 to leave a message, 2 to hear our address.")
    r.record(max_length=60, action="/recorded", play_beep=True)
    r.say("We received no recording.")
    r.hangup()


@document("voice")
def call_screening(r):
    gather = r.gather(num_digits=1, action="/screen")
    gather.say("A call from ")
    gather.say("+1 555 010 0001", voice="man")
    gather.say("Press 1 to take it.")
    r.hangup()


@document("voice")
def overflow_to_voicemail(r):
    r.dial("+15550100003", timeout=12, action="/dial_ended")
    r.say("Nobody could take your call.")
    r.record(action="/recorded")


@document("action")
def after_dial_completed(r):
    r.hangup()


@document("action")
def after_dial_busy(r):
    r.say("The line is busy.")
    r.gather(num_digits=1, action="/retry?n=2&max=3").say("Press 1 to try again.")


@document("action")
def after_gather_invalid(r):
    r.say("Sorry, that's not a valid choice.")
    r.redirect("/webhook/incoming_call")


@document("action")
def after_gather_sales(r):
    r.say("Sales it is.")
    r.enqueue("sales", wait_url="/hold?q=sales")


@document("action")
def after_record(r):
    r.say("Thank you, this is what you said:")
    r.play("https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Recordings/RE0123456789abcdef0123456789abcdef")
    r.hangup()


@document("action")
def after_stream(r):
    r.say("המערכת תתקשר אליכם חזרה.", language="he-IL")
    r.hangup()


@document("action")
def after_pay(r):
    r.say("Your payment of ")
    r.say("20.45 $").say_as("20.45", interpret_as="currency")
    r.say("was accepted.")


@document("action")
def after_enqueue_full(r):
    r.say("The queue is full & closed.")
    r.reject(reason="busy")


@document("whisper")
def whisper_announce(r):
    r.say("Call from the sales line, customer number 4711.")


@document("whisper")
def whisper_screen(r):
    r.gather(num_digits=1, action="/accept?agent=7&call=1", timeout=4).say("Press any key to accept.")
    r.hangup()


@document("whisper")
def whisper_play(r):
    r.play(f"{HOST}/audio/whisper.mp3")


def long_say(size, text):
    r = VoiceResponse()
    r.say((text * (size // len(text) + 1))[:size])
    return r


add("long-say-3000", "voice", long_say(3000, "All work and no play makes for a long announcement. "))
add("long-say-4000-hebrew", "voice", long_say(4000, "כל העבודה הזו, בלי הפסקה, עושה הודעה ארוכה מאוד. "))


def many(name, count, size_note):
    """Menus of a directory, as long as real ones get."""
    r = VoiceResponse()
    for n in range(count):
        gather = r.gather(num_digits=3, action=f"/directory?page={n}&of={count}&sort=name", timeout=2, input="dtmf speech",
                          hints=f"extension {n:03}, desk {n:03}, R&D {n:03}")
        gather.say(f"For extension {n:03}, “Desk & Lab {n:03}”, press {n:03}. Für Anschluss {n:03} drücken Sie {n:03}.")
        gather.pause(length=1)
    r.redirect("/directory?page=0")
    size = len(str(r).encode())
    assert size_note[0] <= size <= size_note[1], (name, size)
    add(name, "voice", r)


many("directory-10-kb", 36, (9_000, 12_000))
many("directory-30-kb", 105, (25_000, 35_000))
many("directory-60-kb", 212, (56_000, 63_000))


def hunt_group(count):
    r = VoiceResponse()
    dial = Dial(timeout=30, action="/dialed")
    for n in range(count):
        dial.number(f"+15550100{n:03}", url=f"{HOST}/whisper?n={n}&of={count}", status_callback=f"{HOST}/status?n={n}&of={count}")
    r.append(dial)
    add(f"hunt-group-{count}", "voice", r)


hunt_group(10)
hunt_group(100)
