"""Documents for callers who wait in a queue or a conference."""

from .shelf import HOST, document


@document("wait")
def wait_music(r):
    for n in range(1, 6):
        r.play(f"{HOST}/music/{n}.mp3?bitrate=64&mono=1")


@document("wait")
def wait_position(r):
    r.say("You are number 2 in the queue. Average wait: 3 minutes & 20 seconds.")
    r.play(f"{HOST}/music/1.mp3")
    r.redirect("/hold?round=2&q=support")


@document("wait")
def wait_with_callback_offer(r):
    r.gather(num_digits=1, action="/callback_offer?q=support&pos=2", timeout=10).say("Press 1 and we'll call you back.")
    r.play(f"{HOST}/music/2.mp3", loop=0)


@document("wait")
def wait_leave(r):
    r.say("You waited long enough; please leave a message.")
    r.leave()


@document("wait")
def wait_hangup(r):
    r.say("We're closing. Goodbye.")
    r.hangup()


@document("wait")
def wait_pause(r):
    r.pause(length=30)


@document("conference-wait")
def conference_music(r):
    r.play(f"{HOST}/music/classical.mp3", loop=10)


@document("conference-wait")
def conference_announcement(r):
    r.say("The moderator hasn't joined yet.")
    r.pause(length=10)
    r.say("ההנחיה תתחיל מיד.", language="he-IL")
    r.redirect("/conference/wait?round=2&x=1")


@document("conference-wait")
def conference_silence(r):
    r.pause(length=60)
