"""Answers to messages."""

from twilio.twiml.messaging_response import Message, MessagingResponse

from .shelf import HOST, add, document


@document("messaging", MessagingResponse)
def no_reply(r):
    pass


@document("messaging", MessagingResponse)
def reply_markup_characters(r):
    r.message("Q&A: is 3 < 5 & 5 > 3? \"Yes\" — it's so.")


@document("messaging", MessagingResponse)
def reply_with_link(r):
    r.message(f"Confirm here: {HOST}/c?id=42&token=a%2Bb&lang=en")


@document("messaging", MessagingResponse)
def reply_lines(r):
    r.message("Your order:\n1 × coffee\n2 × cake\n\nTotal: 12,50 €")


@document("messaging", MessagingResponse)
def reply_emoji(r):
    r.message("👍🏽 See you at 5 🕔 👩‍🚀🇮🇱")


@document("messaging", MessagingResponse)
def reply_routed(r):
    r.message("Forwarded from the front desk.", to="+15550100003", from_="+15550100002", action="/sent?x=1&y=2", method="POST")


@document("messaging", MessagingResponse)
def reply_status_callback(r):
    r.message("Tracked.", status_callback=f"{HOST}/sms_status?order=42&x=1")


@document("messaging", MessagingResponse)
def reply_media(r):
    message = Message()
    message.body("The map & the menu")
    message.media(f"{HOST}/img/map.png?w=640&h=480")
    message.media(f"{HOST}/img/menu.pdf")
    r.append(message)


@document("messaging", MessagingResponse)
def reply_media_only(r):
    r.message("").media(f"{HOST}/img/sticker.gif")


@document("messaging", MessagingResponse)
def replies_three(r):
    for part in ("First part.", "Second part.", "Third & last part."):
        r.message(part)


@document("messaging", MessagingResponse)
def messaging_redirect(r):
    r.redirect("/sms/next?step=2&lang=he", method="POST")


@document("messaging", MessagingResponse)
def reply_bidi_mixed(r):
    r.message("ההזמנה ORDER-42 (₪120) אושרה \u200e+1 555 010 0001\u200e.")


def long_reply(name, size, text):
    r = MessagingResponse()
    r.message((text * (size // len(text) + 1))[:size])
    add(name, "messaging", r)


long_reply("reply-1600", 1600, "A reply at the longest that Twilio sends in one. ")
long_reply("reply-1600-arabic", 1600, "رد طويل بقدر ما ترسله الخدمة في رسالة واحدة. ")
