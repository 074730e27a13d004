//! Express.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Express",
    origins: &["Express"],
    headers: &["x-powered-by: express"],
    fixes: &[
        Fix {
            needs: &[Need::Type],
            says: "Express sends a string as text/html; name the type",
            code: "res.type('text/xml').send(twiml.toString());",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "after all routes, let errors answer with TwiML (Express 4: pass a rejected promise to next)",
            code: "app.use((err, req, res, next) => {\n  console.error(err);\n  const twiml = new twilio.twiml.VoiceResponse();\n  twiml.say('We are sorry, please call again later.');\n  res.type('text/xml').send(twiml.toString());\n});",
        },
        Fix {
            needs: &[Need::Route, Need::Verb],
            says: "`Cannot POST` means that no route takes POST at this path",
            code: "app.all('/voice', (req, res) => {  // app.get alone does not take Twilio's POST\n  const twiml = new twilio.twiml.VoiceResponse();\n  twiml.say('Hello.');\n  res.type('text/xml').send(twiml.toString());\n});",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "Twilio sends a form; read it before the routes",
            code: "app.use(express.urlencoded({ extended: false, limit: '1mb' }));\nconst digits = (req.body && req.body.Digits) || '';",
        },
        Fix {
            needs: &[Need::Forgery],
            says: "mount the webhook before the CSRF middleware",
            code: "app.post('/voice', twilio.webhook(), voice);\napp.use(csrfProtection);",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "the signature covers the public URL: trust the proxy, or say it",
            code: "app.set('trust proxy', true);\napp.post('/voice', twilio.webhook({ protocol: 'https', host: 'pbx.example.com' }), voice);",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "answer at the URL itself; keep the redirects to https and to the login away from webhooks",
            code: "app.set('trust proxy', true);  // else req.secure is false behind a TLS proxy\napp.post('/voice', voice);     // before any app.use that redirects",
        },
        Fix {
            needs: &[Need::Json],
            says: "send the document's text: res.json and objects become JSON",
            code: "res.type('text/xml').send(twiml.toString());  // not res.json(twiml), not res.send({ twiml })",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "answer with a document in every branch, if only an empty one",
            code: "res.type('text/xml').send('<Response/>');  // not res.sendStatus(200), not res.status(204).end()",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output, Need::Encoding, Need::Wrapped],
            says: "let the library write the document, and send nothing else",
            code: "const twiml = new twilio.twiml.VoiceResponse();\ntwiml.redirect('/menu?a=1&b=2');  // escapes what it is given\nres.type('text/xml').send(twiml.toString());",
        },
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "take the byte order mark off what is read from files",
            code: "fs.readFileSync(path, 'utf8').replace(/^\\uFEFF/, '')",
        },
        Fix {
            needs: &[Need::Compression],
            says: "leave webhooks out of the compression middleware, and set no Content-Encoding by hand",
            code: "app.use(compression({ filter: (req, res) => !req.path.startsWith('/voice') && compression.filter(req, res) }));",
        },
    ],
};
