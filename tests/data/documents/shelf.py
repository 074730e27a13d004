"""Where the builders put their documents."""

from twilio.twiml.voice_response import VoiceResponse

HOST = "https://pbx.example.com"
WSS = "wss://pbx.example.com"
DOCUMENTS = []


def add(name, slot, response):
    DOCUMENTS.append({"name": name, "slot": slot, "xml": str(response)})


def document(slot, kind=VoiceResponse):
    """Decorator: the function fills a response; its name, with dashes, is the document's."""

    def register(fill):
        response = kind()
        fill(response)
        add(fill.__name__.replace("_", "-"), slot, response)
        return fill

    return register
