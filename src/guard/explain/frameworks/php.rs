//! PHP without a framework.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "PHP",
    origins: &["PHP"],
    headers: &["x-powered-by: php/", "set-cookie: phpsessid="],
    fixes: &[
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "an included file begins with a byte order mark; find and save it as UTF-8 without",
            code: "grep -rlP '^\\xEF\\xBB\\xBF' --include='*.php' .\nsed -i '1s/^\\xEF\\xBB\\xBF//' FILE.php",
        },
        Fix {
            needs: &[Need::Output],
            says: "warnings go to the log, not into the answer; nothing may stand before `<?php` nor behind `?>`",
            code: "ini_set('display_errors', '0');  // php.ini: display_errors = Off, log_errors = On\nini_set('log_errors', '1');\n// leave the closing ?> out; no blank line before <?php in any included file",
        },
        Fix {
            needs: &[Need::Type],
            says: "PHP says text/html unless told otherwise, before any output",
            code: "header('Content-Type: text/xml; charset=utf-8');\necho $response;",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "let a fatal error answer with TwiML, and its text go to the log",
            code: "ini_set('display_errors', '0');\nset_exception_handler(function (Throwable $e) {\n    error_log($e);\n    http_response_code(200);\n    header('Content-Type: text/xml');\n    echo '<Response><Say>We are sorry, please call again later.</Say></Response>';\n});",
        },
        Fix {
            needs: &[Need::Document, Need::Page],
            says: "echo a document in every branch, if only an empty one: exit and die print nothing",
            code: "header('Content-Type: text/xml');\nexit('<Response/>');",
        },
        Fix {
            needs: &[Need::Escaping, Need::Wrapped],
            says: "let the library write the document, or escape what is put into it",
            code: "$response = new VoiceResponse();\n$response->redirect('/menu?a=1&b=2');  // escapes what it is given\n// by hand: htmlspecialchars($text, ENT_XML1 | ENT_QUOTES, 'UTF-8')",
        },
        Fix {
            needs: &[Need::Json],
            says: "echo the document itself",
            code: "header('Content-Type: text/xml');\necho $response;  // not json_encode((string) $response)",
        },
        Fix {
            needs: &[Need::Encoding],
            says: "what comes from an old database may not be UTF-8",
            code: "$text = mb_convert_encoding($text, 'UTF-8', 'Windows-1255');  // the database's encoding",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "a folder without its slash redirects; give Twilio the file itself",
            code: "https://pbx.example.com/voice/index.php",
        },
        Fix {
            needs: &[Need::Route, Need::Verb],
            says: "the path at Twilio must name the file, and the file read both methods",
            code: "$digits = $_REQUEST['Digits'] ?? '';  // GET and POST",
        },
        Fix {
            needs: &[Need::Compression],
            says: "let one of PHP and the web server compress, not both",
            code: "zlib.output_compression = Off  ; php.ini",
        },
    ],
};
