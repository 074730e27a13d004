//! What stands between Twilio and the app: web servers, tunnels, networks.

use super::{Fix, Framework, Need};

pub(super) static NGINX: Framework = Framework {
    name: "nginx",
    origins: &["nginx", "OpenResty"],
    headers: &["server: nginx", "server: openresty"],
    fixes: &[
        Fix {
            needs: &[Need::Down],
            says: "nginx does not reach the app, or the app answers too late: see its error.log; is the app up, is the port the same?",
            code: "location /voice {\n    proxy_pass http://127.0.0.1:5000;\n    proxy_read_timeout 14s;\n}",
        },
        Fix {
            needs: &[Need::Route],
            says: "no location passes this path on to the app",
            code: "location /voice {\n    proxy_pass http://127.0.0.1:5000;\n}",
        },
        Fix {
            needs: &[Need::Verb],
            says: "a static file takes no POST: pass the path on to the app",
            code: "location /voice {\n    proxy_pass http://127.0.0.1:5000;\n}",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "nginx itself turns the request away: a deny rule, or auth_basic",
            code: "location /voice {\n    auth_basic off;\n    allow all;\n    proxy_pass http://127.0.0.1:5000;\n}",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "give Twilio the URL that nginx redirects to, https and slash included",
            code: "proxy_set_header Host $host;\nproxy_set_header X-Forwarded-Proto $scheme;",
        },
        Fix {
            needs: &[Need::Parameters],
            says: "nginx itself refuses the request: too large, or http on the https port",
            code: "client_max_body_size 1m;",
        },
    ],
};

pub(super) static APACHE: Framework = Framework {
    name: "Apache",
    origins: &["Apache"],
    headers: &["server: apache"],
    fixes: &[
        Fix {
            needs: &[Need::Down],
            says: "Apache does not reach the app, or the app answers too late: see its error log",
            code: "ProxyPass        /voice http://127.0.0.1:5000/voice timeout=14\nProxyPassReverse /voice http://127.0.0.1:5000/voice",
        },
        Fix {
            needs: &[Need::ErrorPage],
            says: "the program behind Apache failed before it answered: the reason is in Apache's error log",
            code: "tail -n 50 /var/log/apache2/error.log",
        },
        Fix {
            needs: &[Need::Route, Need::Page],
            says: "Apache looks for a file here: name the file that is there, or pass the path on",
            code: "ProxyPass /voice http://127.0.0.1:5000/voice",
        },
        Fix {
            needs: &[Need::Forbidden],
            says: "Apache itself turns the request away",
            code: "<Location \"/voice\">\n    AuthType None\n    Require all granted\n</Location>",
        },
        Fix {
            needs: &[Need::Redirect],
            says: "give Twilio the URL that Apache redirects to, https and slash included",
            code: "RewriteCond %{REQUEST_URI} !^/voice\nRewriteCond %{HTTPS} off\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]",
        },
    ],
};

pub(super) static CLOUDFLARE: Framework = Framework {
    name: "Cloudflare",
    origins: &["Cloudflare"],
    headers: &[],
    fixes: &[
        Fix {
            needs: &[Need::Down],
            says: "Cloudflare does not reach your server; ask it past Cloudflare",
            code: "curl -si -X POST --resolve pbx.example.com:443:ORIGIN-IP https://pbx.example.com/voice",
        },
        Fix {
            needs: &[Need::Forbidden, Need::Page, Need::ErrorPage],
            says: "Cloudflare takes Twilio for a robot: let the webhooks' path skip its checks (Security, WAF, custom rules, action Skip)",
            code: "(http.host eq \"pbx.example.com\" and starts_with(http.request.uri.path, \"/voice\"))",
        },
    ],
};

pub(super) static NGROK: Framework = Framework {
    name: "ngrok",
    origins: &["ngrok"],
    headers: &["ngrok-trace-id: "],
    fixes: &[
        Fix {
            needs: &[Need::Down],
            says: "the tunnel is up, the app behind it is not: start it at the port that ngrok forwards to",
            code: "ngrok http 5000",
        },
        Fix {
            needs: &[Need::Route],
            says: "the tunnel is gone or got another name: start it, put its name into the URL at Twilio",
            code: "ngrok http --url=YOUR-NAME.ngrok-free.app 5000",
        },
        Fix {
            needs: &[Need::Page],
            says: "this page is for browsers: only a request that looks like one gets it, so ask as Twilio does",
            code: "curl -si -X POST -A TwilioProxy/1.1 https://YOUR-NAME.ngrok-free.app/voice",
        },
    ],
};
