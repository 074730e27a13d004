//! WordPress.

use super::{Fix, Framework, Need};

pub(super) static FRAMEWORK: Framework = Framework {
    name: "WordPress",
    origins: &["WordPress"],
    headers: &["x-redirect-by: wordpress", "link: <https://api.w.org"],
    fixes: &[
        Fix {
            needs: &[Need::Json, Need::Type, Need::Wrapped, Need::Document, Need::Page],
            says: "the REST API makes JSON of what a route returns: print the document and leave",
            code: "header('Content-Type: text/xml; charset=utf-8');\necho $twiml;\nexit;",
        },
        Fix {
            needs: &[Need::ErrorPage, Need::Output],
            says: "keep messages of plugins out of answers (wp-config.php); the critical error itself is in wp-content/debug.log",
            code: "define('WP_DEBUG', true);\ndefine('WP_DEBUG_DISPLAY', false);\ndefine('WP_DEBUG_LOG', true);\n@ini_set('display_errors', '0');",
        },
        Fix {
            needs: &[Need::Route, Need::Verb, Need::Forbidden],
            says: "register the route for both methods and for everybody; check Twilio's signature inside",
            code: "register_rest_route('pbx/v1', '/voice', [\n    'methods' => ['GET', 'POST'],\n    'callback' => 'pbx_voice',\n    'permission_callback' => '__return_true',\n]);",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "WordPress redirects to its canonical URL; give Twilio that one, host and slash included",
            code: "https://www.example.com/wp-json/pbx/v1/voice",
        },
        Fix {
            needs: &[Need::ByteOrderMark],
            says: "a theme or plugin file begins with a byte order mark; find and save it without",
            code: "grep -rlP '^\\xEF\\xBB\\xBF' --include='*.php' wp-content wp-config.php",
        },
    ],
};
