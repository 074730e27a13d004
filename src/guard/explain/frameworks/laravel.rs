//! Laravel and Symfony's pages.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Laravel",
    origins: &["Laravel"],
    headers: &["set-cookie: laravel_session="],
    fixes: &[
        Fix {
            needs: &[Need::Forgery],
            says: "exempt the webhook from the CSRF check (bootstrap/app.php; before Laravel 11: $except in VerifyCsrfToken)",
            code: "->withMiddleware(function (Middleware $middleware) {\n    $middleware->validateCsrfTokens(except: ['voice', 'voice/*']);\n})",
        },
        Fix {
            needs: &[Need::Type, Need::Json, Need::Wrapped],
            says: "return a response with its type; arrays and models become JSON, {{ }} escapes",
            code: "return response((string) $twiml)->header('Content-Type', 'text/xml');",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let errors below the webhooks' path answer with TwiML (bootstrap/app.php)",
            code: "->withExceptions(function (Exceptions $exceptions) {\n    $exceptions->render(function (Throwable $e, Request $request) {\n        if ($request->is('voice*')) {\n            return response('<Response><Say>We are sorry, please call again later.</Say></Response>')\n                ->header('Content-Type', 'text/xml');\n        }\n    });\n})",
        },
        Fix {
            needs: &[Need::Route, Need::Verb],
            says: "take both methods at the path that is at Twilio",
            code: "Route::match(['get', 'post'], '/voice', [VoiceController::class, 'answer']);",
        },
        Fix {
            needs: &[Need::Forbidden, Need::Redirect],
            says: "keep the route outside the group `auth`; behind a TLS proxy trust its headers",
            code: "$middleware->trustProxies(at: '127.0.0.1');  // bootstrap/app.php",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "return a document in every branch, if only an empty one",
            code: "return response('<Response/>')->header('Content-Type', 'text/xml');  // not response()->noContent()",
        },
        Fix {
            needs: &[Need::Escaping, Need::Output, Need::Encoding, Need::ByteOrderMark],
            says: "let the library write the document, APP_DEBUG=false, no blank before any `<?php`",
            code: "$twiml = new VoiceResponse();\n$twiml->redirect('/menu?a=1&b=2');  // escapes what it is given",
        },
    ],
};
