//! Django.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Django",
    origins: &["Django"],
    headers: &["server: wsgiserver/", "set-cookie: csrftoken="],
    fixes: &[
        Fix {
            needs: &[Need::Type],
            says: "HttpResponse is text/html unless told otherwise",
            code: "return HttpResponse(str(resp), content_type=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Forgery],
            says: "exempt the webhook from the CSRF check; check Twilio's signature instead",
            code: "from django.views.decorators.csrf import csrf_exempt\n\n@csrf_exempt\ndef voice(request):",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let errors below the webhooks' path answer with TwiML (settings.MIDDLEWARE)",
            code: "class TwimlErrors:\n    def __init__(self, get_response):\n        self.get_response = get_response\n    def __call__(self, request):\n        return self.get_response(request)\n    def process_exception(self, request, exception):\n        if request.path.startswith(\"/twilio/\"):\n            logging.exception(\"webhook failed\")\n            resp = VoiceResponse()\n            resp.say(\"We are sorry, please call again later.\")\n            return HttpResponse(str(resp), content_type=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "APPEND_SLASH redirects and drops the POST: give Twilio the path with its slash; behind a TLS proxy trust its header",
            code: "path(\"voice/\", voice)  # at Twilio: https://…/voice/\nSECURE_PROXY_SSL_HEADER = (\"HTTP_X_FORWARDED_PROTO\", \"https\")",
        },
        Fix {
            needs: &[Need::Verb],
            says: "allow both methods on the view",
            code: "@require_http_methods([\"GET\", \"POST\"])\ndef voice(request):",
        },
        Fix {
            needs: &[Need::Route],
            says: "name the path in urls.py just as it is at Twilio, slash at the end included",
            code: "urlpatterns = [path(\"voice\", views.voice), path(\"voice/\", views.voice)]",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "exempt the view from login; check the signature over the public URL",
            code: "# Django 5.1 and later, with LoginRequiredMiddleware:\n@login_not_required\n@csrf_exempt\ndef voice(request):\n    url = request.build_absolute_uri()  # needs SECURE_PROXY_SSL_HEADER behind a TLS proxy\n    validator.validate(url, request.POST, request.headers.get(\"X-Twilio-Signature\", \"\"))",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "a 400 here is mostly the Host header; else read fields that may be absent",
            code: "ALLOWED_HOSTS = [\"pbx.example.com\"]  # the public host\ndigits = request.POST.get(\"Digits\", \"\")",
        },
        Fix {
            needs: &[Need::Json],
            says: "return the document's text: JsonResponse and REST views make JSON of it",
            code: "return HttpResponse(str(resp), content_type=\"text/xml\")  # not JsonResponse, not Response(str(resp))",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "return a document from every branch of the view, if only an empty one",
            code: "return HttpResponse(str(VoiceResponse()), content_type=\"text/xml\")  # <Response/>",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output],
            says: "let the library write the document, nothing before or after it",
            code: "resp = VoiceResponse()\nresp.redirect(\"/menu?a=1&b=2\")  # escapes what it is given\nreturn HttpResponse(str(resp), content_type=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Wrapped],
            says: "templates escape what is put in; return the document itself",
            code: "return HttpResponse(str(resp), content_type=\"text/xml\")  # not render(request, \"x.html\", {\"twiml\": resp})",
        },
        Fix {
            needs: &[Need::Encoding, Need::Compression],
            says: "pass text and let Django encode it; leave webhooks out of GZipMiddleware",
            code: "return HttpResponse(str(resp), content_type=\"text/xml; charset=utf-8\")",
        },
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "save templates without byte order mark, read files without theirs",
            code: "open(path, encoding=\"utf-8-sig\").read()",
        },
    ],
};
