"""What is said, played, gathered and recorded."""

from twilio.twiml.voice_response import Gather

from .shelf import HOST, document


@document("voice")
def empty(r):
    pass


@document("voice")
def hangup(r):
    r.hangup()


@document("voice")
def pause_ten(r):
    r.pause(length=10)


@document("voice")
def reject_plain(r):
    r.reject()


@document("voice")
def reject_busy(r):
    r.reject(reason="busy")


@document("voice")
def leave_queue(r):
    r.leave()


@document("voice")
def echo(r):
    r.echo()


@document("voice")
def play_once(r):
    r.play(f"{HOST}/audio/welcome.mp3")


@document("voice")
def play_loop(r):
    r.play(f"{HOST}/audio/welcome.mp3?v=3&lang=en&t=%D7%A9", loop=3)


@document("voice")
def play_digits(r):
    r.play("", digits="wwww1928#")


@document("voice")
def redirect_post(r):
    r.redirect("/webhook/incoming_call?attempt=2&from=menu", method="POST")


@document("voice")
def redirect_absolute(r):
    r.redirect(f"{HOST}/voice/next?state=a%26b&n=1&utf8=%E2%9C%93")


@document("voice")
def say_with_markup_characters(r):
    r.say("Tom & Jerry's <best> offer: \"5 > 4\"", voice="alice", language="en-GB", loop=2)


@document("voice")
def say_emoji(r):
    r.say("Ready 🎉👩‍👩‍👧‍👦 🏳️‍🌈 \U0001d518nicode")


@document("voice")
def say_bidi(r):
    r.say("Your code is \u200e12-34\u200f \u2067שלום\u2069, thank you", language="he-IL")


@document("voice")
def say_line_breaks(r):
    r.say("First line.\nSecond line.\n\tThird, indented.")


@document("voice")
def say_no_break_spaces(r):
    r.say("10\u00a0000\u202f€ à payer\u00a0!", language="fr-FR")


@document("voice")
def say_ssml(r):
    say = r.say("Your appointment is on ", voice="Polly.Joanna-Neural")
    say.say_as("20260514", interpret_as="date", format_="yyyymmdd")
    say.break_(strength="strong", time="500ms")
    say.emphasis("really", level="strong")
    say.prosody("slowly now", pitch="-10%", rate="85%", volume="+6dB")


@document("voice")
def say_ssml_nested(r):
    say = r.say(voice="Google.en-US-Neural2-C")
    p = say.p("A paragraph & more")
    p.s("with a sentence")
    say.sub("W3C", alias="World Wide Web Consortium")
    say.phoneme("pecan", alphabet="ipa", ph="pɪˈkɑːn")
    say.lang("Bonjour", xml_lang="fr-FR")
    say.w("lead", role="amazon:VB")


@document("voice")
def gather_digits(r):
    gather = Gather(num_digits=4, finish_on_key="", timeout=8, action="/pin?call=1&step=pin", action_on_empty_result=True)
    gather.say("Enter your four digit PIN.")
    r.append(gather)


@document("voice")
def gather_speech(r):
    gather = r.gather(
        input="speech", action="/speech", speech_timeout="auto", hints="billing, appointments, R&D, “other”",
        language="en-US", speech_model="phone_call", enhanced=True, barge_in=True, profanity_filter=False,
        partial_result_callback="/partial?call=1&n=2", partial_result_callback_method="POST",
    )
    gather.say("Tell me in a few words why you're calling.")


@document("voice")
def gather_play(r):
    r.gather(num_digits=1, action="/menu").play(f"{HOST}/audio/menu.wav", loop=2)
    r.say("We didn't hear anything.")
    r.hangup()


@document("voice")
def gather_two_stages(r):
    r.gather(num_digits=1, timeout=3, action="/menu?try=1").say("Press 1.")
    r.gather(num_digits=1, timeout=3, action="/menu?try=2").say("Sorry? Press 1 now.")
    r.say("Goodbye.")


@document("voice")
def record_transcribed(r):
    r.record(transcribe=True, transcribe_callback="/transcribed?x=1&y=2", max_length=30, timeout=5, trim="trim-silence",
             recording_status_callback="/recording", recording_status_callback_event="in-progress completed absent")
