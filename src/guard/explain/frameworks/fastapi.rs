//! FastAPI and Starlette.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "FastAPI",
    origins: &["FastAPI", "Starlette", "uvicorn"],
    headers: &["server: uvicorn", "server: hypercorn"],
    fixes: &[
        Fix {
            needs: &[Need::Type, Need::Json, Need::Wrapped],
            says: "FastAPI makes JSON of what a route returns; return a Response",
            code: "from fastapi import Response\n\n@app.post(\"/voice\")\nasync def voice():\n    return Response(content=str(resp), media_type=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "Twilio sends a form, and not every field every time (needs the package python-multipart)",
            code: "@app.post(\"/voice\")\nasync def voice(Digits: str = Form(\"\")):  # from fastapi import Form; not a pydantic body, not required",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let every unhandled exception answer with TwiML",
            code: "@app.exception_handler(Exception)\nasync def twiml_error(request, error):\n    resp = VoiceResponse()\n    resp.say(\"We are sorry, please call again later.\")\n    return Response(content=str(resp), media_type=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Verb],
            says: "take both methods",
            code: "@app.api_route(\"/voice\", methods=[\"GET\", \"POST\"])",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "do not redirect for a slash; behind a TLS proxy let uvicorn believe its headers",
            code: "app = FastAPI(redirect_slashes=False)\n# uvicorn app:app --proxy-headers --forwarded-allow-ips=127.0.0.1",
        },
        Fix {
            needs: &[Need::Route],
            says: "name the path just as it is at Twilio",
            code: "@app.post(\"/voice\")\nasync def voice():",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "leave the webhook out of the login dependency; check the signature over the public URL",
            code: "form = await request.form()\nurl = \"https://pbx.example.com/voice\"  # as at Twilio; behind a proxy str(request.url) may say http\nvalidator.validate(url, dict(form), request.headers.get(\"X-Twilio-Signature\", \"\"))",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "return a document from every branch, if only an empty one: no return means `null`",
            code: "return Response(content=str(VoiceResponse()), media_type=\"text/xml\")  # <Response/>",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output, Need::Encoding],
            says: "let the library write the document, and Response encode it",
            code: "resp = VoiceResponse()\nresp.redirect(\"/menu?a=1&b=2\")  # escapes what it is given\nreturn Response(content=str(resp), media_type=\"text/xml\")",
        },
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "read files without their byte order mark",
            code: "open(path, encoding=\"utf-8-sig\").read()",
        },
    ],
};
