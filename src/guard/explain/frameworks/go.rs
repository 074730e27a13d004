//! Go's net/http.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "Go net/http",
    origins: &["Go net/http"],
    headers: &[],
    fixes: &[
        Fix {
            needs: &[Need::Type],
            says: "net/http guesses the type from the body; name it before the first write",
            code: "w.Header().Set(\"Content-Type\", \"text/xml\")\nio.WriteString(w, document)",
        },
        Fix {
            needs: &[Need::Route],
            says: "`404 page not found` is the mux: the pattern must match method and path",
            code: "mux.HandleFunc(\"/voice\", voice)  // \"POST /voice\" takes POST alone",
        },
        Fix {
            needs: &[Need::Verb],
            says: "let the pattern take both methods",
            code: "mux.HandleFunc(\"/voice\", voice)",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "answer errors with a document, not with http.Error",
            code: "w.Header().Set(\"Content-Type\", \"text/xml\")\nio.WriteString(w, \"<Response><Say>We are sorry, please call again later.</Say></Response>\")",
        },
        Fix {
            needs: &[Need::Escaping],
            says: "escape what is put into the document",
            code: "xml.EscapeText(&buffer, []byte(text))  // encoding/xml; not text/template",
        },
    ],
};
