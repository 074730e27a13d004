//! Flask and what else stands on Werkzeug.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Flask",
    origins: &["Werkzeug", "Werkzeug debugger"],
    headers: &["server: werkzeug/"],
    fixes: &[
        Fix {
            needs: &[Need::Type],
            says: "Flask sends a returned string as text/html; name the type",
            code: "return Response(str(resp), mimetype=\"text/xml\")",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let every unhandled exception of the app answer with TwiML, and run without debug=True",
            code: "@app.errorhandler(Exception)\ndef twiml_error(error):\n    app.logger.exception(error)\n    resp = VoiceResponse()\n    resp.say(\"We are sorry, please call again later.\")\n    return Response(str(resp), mimetype=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Verb],
            says: "a Flask route takes GET alone unless it says more",
            code: "@app.route(\"/voice\", methods=[\"GET\", \"POST\"])",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "let the route answer with and without the slash at its end; behind a TLS proxy let Flask believe its headers",
            code: "app.url_map.strict_slashes = False\napp.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)  # werkzeug.middleware.proxy_fix",
        },
        Fix {
            needs: &[Need::Route],
            says: "`flask routes` lists what there is; the path must be the one at Twilio",
            code: "@app.route(\"/voice\", methods=[\"GET\", \"POST\"])\ndef voice():\n    resp = VoiceResponse()\n    resp.say(\"Hello.\")\n    return Response(str(resp), mimetype=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "Twilio sends a form, not JSON, and not every field every time",
            code: "digits = request.values.get(\"Digits\", \"\")  # not request.json, not request.form[\"Digits\"]",
        },
        Fix {
            needs: &[Need::Forgery],
            says: "exempt the webhook from Flask-WTF's form check; check Twilio's signature instead",
            code: "@csrf.exempt\n@app.route(\"/voice\", methods=[\"POST\"])",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "check the signature over the URL as Twilio knows it: https, public host, query",
            code: "app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)  # werkzeug.middleware.proxy_fix\nvalidator.validate(request.url, request.form, request.headers.get(\"X-Twilio-Signature\", \"\"))",
        },
        Fix {
            needs: &[Need::Json],
            says: "return the document's text: jsonify, or a dict, makes JSON of it",
            code: "return Response(str(resp), mimetype=\"text/xml\")  # not jsonify(str(resp))",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "return a document from every branch of the view, if only an empty one",
            code: "return Response(str(VoiceResponse()), mimetype=\"text/xml\")  # <Response/>; not \"\", 204 or \"OK\"",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output],
            says: "let the library write the document, nothing before or after it",
            code: "resp = VoiceResponse()\nresp.redirect(\"/menu?a=1&b=2\")  # escapes what it is given\nreturn Response(str(resp), mimetype=\"text/xml\")",
        },
        Fix {
            needs: &[Need::Wrapped],
            says: "a template named .html escapes what is put in; return the document itself, as text, not bytes' repr",
            code: "return Response(str(resp), mimetype=\"text/xml\")  # not render_template(\"x.html\", twiml=resp)",
        },
        Fix {
            needs: &[Need::Encoding],
            says: "Response encodes text as UTF-8; pass text, not bytes encoded elsewhere",
            code: "return Response(str(resp), content_type=\"text/xml; charset=utf-8\")",
        },
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "read files without their byte order mark",
            code: "open(path, encoding=\"utf-8-sig\").read()",
        },
    ],
};
