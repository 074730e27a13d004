//! Which requests a route that refuses what Twilio did not sign has to look at: those on every
//! spelling of its path that some backend would lead to the same handler.

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::config::route::{PathPattern, Route};
use crate::config::{Config, SignatureMode};
use crate::twilio::SlotSetting;

/// Headers by which some backends take another path for the request's (IIS, Symfony, Laminas).
static OTHER_PATHS: [HeaderName; 2] =
    [HeaderName::from_static("x-original-url"), HeaderName::from_static("x-rewrite-url")];

/// Endings of scripts that take the rest of a path as their own (CGI, PHP).
const SCRIPTS: [&str; 6] = [".asp", ".aspx", ".cgi", ".php", ".pl", ".py"];

/// Endings of what Twilio fetches to play or send, unsigned, from beside a webhook.
const MEDIA: [&str; 12] = [
    ".aac", ".aiff", ".gif", ".gsm", ".jpeg", ".jpg", ".mp3", ".mp4", ".ogg", ".png", ".ulaw",
    ".wav",
];

/// The paths of the routes that refuse what Twilio did not sign.
#[derive(Debug, Default)]
pub(super) struct Enforced(Vec<PathPattern>);

impl Enforced {
    /// Those of a configuration.
    pub(super) fn of(config: &Config) -> Self {
        let routes = config.routes.iter().filter(|route| enforces(route));
        Self(routes.flat_map(|route| folded(&route.pattern)).collect())
    }

    /// Whether a request has to be looked at for one of them, whichever route it is on.
    pub(super) fn claim(&self, config: &Config, parts: &Parts) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let path = parts.uri.path();
        let named = if is_plain(path) { governing(config, &parts.method, path) } else { None };
        let is_claimed = match named {
            // The operator's own word for just this path.
            Some(route) => enforces(route),
            None => self.matches(path, &parts.method),
        };
        is_claimed || self.claims_header(&parts.headers, &parts.method)
    }

    fn claims_header(&self, headers: &HeaderMap, method: &Method) -> bool {
        let values = OTHER_PATHS.iter().flat_map(|name| headers.get_all(name));
        values.filter_map(|value| value.to_str().ok()).any(|value| {
            let path = value.split_once("://").map_or(value, |(_, rest)| {
                rest.find('/').map_or("/", |at| rest.get(at..).unwrap_or("/"))
            });
            self.matches(path, method)
        })
    }

    fn matches(&self, path: &str, method: &Method) -> bool {
        let may_be_media = matches!(*method, Method::GET | Method::HEAD);
        let readings = readings(path, may_be_media);
        readings.iter().any(|path| self.0.iter().any(|own| own.matches(path)))
    }
}

fn enforces(route: &Route) -> bool {
    route.signature == SignatureMode::Enforce && route.slot != SlotSetting::Pass
}

/// The route that speaks for a path that is plainly written. One for another method speaks for it
/// too, unless a later one names this method: a backend's handler may well take any.
fn governing<'c>(config: &'c Config, method: &Method, path: &str) -> Option<&'c Route> {
    let mut of_other_method = None;
    for route in config.routes.iter().filter(|route| route.pattern.matches(path)) {
        match &route.method {
            Some(own) if own == method => return Some(route),
            Some(_) => of_other_method = of_other_method.or(Some(&**route)),
            None => return of_other_method.or(Some(&**route)),
        }
    }
    of_other_method
}

/// Whether every backend reads a path alike.
fn is_plain(path: &str) -> bool {
    let is_odd = |segment: &str| segment.is_empty() || segment.ends_with(['.', ' ']);
    let segments = path.strip_prefix('/').unwrap_or(path);
    let segments = segments.strip_suffix('/').unwrap_or(segments);
    !path.contains(['%', ';', '\\']) && (segments.is_empty() || !segments.split('/').any(is_odd))
}

/// A pattern as readings are compared with it.
fn folded(pattern: &PathPattern) -> Vec<PathPattern> {
    match pattern {
        PathPattern::Exact(path) => {
            let own = folded_path(path);
            let bare = SCRIPTS.iter().find_map(|ending| own.strip_suffix(ending));
            let bare = bare.map(str::to_owned);
            std::iter::once(own).chain(bare).map(PathPattern::Exact).collect()
        }
        PathPattern::Prefix(path) => {
            let own = folded_path(path);
            let own = if own.ends_with('/') { own } else { own + "/" };
            // Without the slash a prefix reaches into the segment.
            let own = if path.ends_with('/') { own } else { own.trim_end_matches('/').to_owned() };
            vec![PathPattern::Prefix(own)]
        }
        PathPattern::Segments(parts) => {
            let fold = |part: &Option<String>| {
                part.as_ref().map(|text| folded_path(text).trim_start_matches('/').to_owned())
            };
            vec![PathPattern::Segments(parts.iter().map(fold).collect())]
        }
    }
}

/// Every way in which backends read a path, folded; no doubles.
fn readings(path: &str, may_be_media: bool) -> Vec<String> {
    let mut all = Vec::new();
    let mut decoded = path.to_owned();
    for _ in 0..3 {
        let own = folded_path(&decoded);
        add_kin(&mut all, own, may_be_media);
        let next = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
        if next == decoded {
            break;
        }
        decoded = next;
    }
    all
}

/// A folded path, and without what backends look away from: a format at its end, what follows a
/// script, the script in front.
fn add_kin(all: &mut Vec<String>, path: String, may_be_media: bool) {
    let mut add = |path: String| {
        if !all.contains(&path) {
            all.push(path);
        }
    };
    let without_front = path.replacen("/index.php", "", 1);
    for path in [path, without_front] {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let last = path.rfind('/').map_or(0, |at| at + 1);
        let dot = path.get(last..).and_then(|name| name.rfind('.')).filter(|at| *at > 0);
        if let Some(bare) = dot.and_then(|at| path.get(..last + at))
            && !(may_be_media && MEDIA.iter().any(|ending| path.ends_with(ending)))
        {
            add(bare.to_owned());
        }
        for ending in SCRIPTS {
            if let Some(at) = path.find(&format!("{ending}/")) {
                add(path.get(..at).unwrap_or(&path).to_owned());
                add(path.get(..at + ending.len()).unwrap_or(&path).to_owned());
            }
        }
        add(path);
    }
}

/// Parameters of segments, dots, doubled and trailing slashes taken away, small letters.
fn folded_path(path: &str) -> String {
    let path = path.split(['?', '#', '\0']).next().unwrap_or_default().replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        let segment = segment.split(';').next().unwrap_or_default();
        if segment == ".." {
            segments.pop();
            continue;
        }
        let segment = segment.trim_end_matches(['.', ' ']);
        if !segment.is_empty() {
            segments.push(segment);
        }
    }
    format!("/{}", segments.join("/")).to_lowercase()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::config::{Sources, load};

    fn config(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        let mut sources = Sources { cwd: folder.path().to_owned(), ..Sources::default() };
        sources.env.insert("TWILIO_AUTH_TOKEN".to_owned(), "12345".to_owned());
        load(&sources).unwrap().config
    }

    const ROUTES: &str = "
        [[route]]\npath = '/webhook/Voice'\nmethod = 'POST'\nsignature = 'enforce'\n
        [[route]]\npath = '/calls/{id}/menu'\nsignature = 'enforce'\n
        [[route]]\npath = '/hooks/*'\nsignature = 'enforce'\nslot = 'callback'\n
        [[route]]\npath = '/run.php'\nsignature = 'enforce'\n
        [[route]]\npath = '/VOICE'\nslot = 'pass'\n
        [[route]]\npath = '/open'\nmethod = 'POST'\nsignature = 'enforce'\n
        [[route]]\npath = '/open'\nmethod = 'GET'\nslot = 'pass'\n
        [[route]]\npath = '/seen'\nsignature = 'observe'\n
        [[route]]\npath = '/voice'\nsignature = 'enforce'\n
        [[route]]\npath = '/*'\nslot = 'pass'\n";

    fn claims(method: &str, path: &str, headers: &[(&str, &str)]) -> bool {
        let config = config(ROUTES);
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Enforced::of(&config).claim(&config, &parts)
    }

    #[test]
    fn every_spelling_of_an_enforced_path_is_claimed() {
        for path in [
            "/webhook/Voice",
            "//webhook//Voice",
            "/webhook/./Voice",
            "/x/../webhook/Voice",
            "/x/..;a=b/webhook/Voice",
            "/x/%2e%2e/webhook/Voice",
            "/webhook%2fVoice",
            "/webhook%252FVoice",
            "/web%68ook/Voice",
            "/web%2568ook/Voice",
            "/webhook/%56oice/",
            "/webhook/Voice;jsessionid=1",
            "/webhook;a=b/Voice",
            "/webhook/Voice.",
            "/webhook/Voice%20",
            "/webhook/Voice%00.png",
            "/webhook/Voice%3Fx",
            "/webhook/Voice%23",
            "/webhook%5cVoice",
            "/webhook\\Voice",
            "/webhook/Voice//",
            "/webhook/Voice.json%2f",
            "/index.php//webhook/Voice",
            "/calls//7/menu",
            "/calls/7/MENU;x",
            "/hooks//a/b",
            "/Hooks%2Fa",
            "/run.php%2Finfo",
            "/x/..%2frun.php/info",
        ] {
            assert!(claims("POST", path, &[]), "{path}");
            assert!(claims("GET", path, &[]), "GET {path}");
        }
    }

    #[test]
    fn other_methods_and_other_headers_lead_to_it_too() {
        for method in ["GET", "HEAD", "PUT", "OPTIONS", "PURGE"] {
            assert!(claims(method, "/webhook/Voice", &[]), "{method}");
        }
        assert!(claims("POST", "/x", &[("x-original-url", "/webhook/voice")]));
        assert!(claims("POST", "/x", &[("x-rewrite-url", "https://a/webhook//voice?x")]));
        assert!(!claims("POST", "/x", &[("x-original-url", "/other")]));
    }

    #[test]
    fn what_no_enforced_route_answers_is_left_alone() {
        for path in [
            "/",
            "/webhook",
            "/webhook/Voice/x",
            "/webhook/Voices",
            "/xwebhook/Voice",
            "/seen",
            "//seen",
            "/VOICE",
            "/calls/7/8/menu",
            "/hook",
            "/static/x.css",
            "/run",
        ] {
            assert!(!claims("POST", path, &[]), "{path}");
        }
        assert!(claims("POST", "/open", &[]) && !claims("GET", "/open", &[]));
        assert!(claims("POST", "/voice", &[]) && claims("POST", "//VOICE", &[]));
    }

    #[test]
    fn without_a_route_that_takes_it_case_and_format_do_not_matter() {
        let config = config("[[route]]\npath = '/webhook/voice'\nsignature = 'enforce'\n");
        let enforced = Enforced::of(&config);
        let claims = |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            enforced.claim(&config, &request.into_parts().0)
        };
        for path in [
            "/WebHook/voice",
            "/webhook/voice/",
            "/webhook/voice.json",
            "/webhook/voice.php",
            "/webhook/voice.php/x",
            "/index.php/webhook/voice",
        ] {
            assert!(claims("POST", path) && claims("GET", path), "{path}");
        }
        // What Twilio plays is fetched unsigned.
        assert!(!claims("GET", "/webhook/voice.mp3") && claims("POST", "/webhook/voice.mp3"));
    }
}
