//! Why a signed request is refused: which wrong URL the application rebuilds.

use super::lines::{Line, Verdict};
use super::{Plan, examine};
use crate::probe::{Ask, Scheme, Url};

impl Plan {
    /// Asks again, signed for each URL that applications rebuild by mistake, until one is accepted.
    pub(super) async fn refused(&self, ask: &Ask) -> Option<Line> {
        let request = examine::named(&ask.method, &ask.url);
        if self.token.is_none() {
            let says = "the request was not signed, for want of a token";
            let fix = "set TWIML_GUARD_AUTH_TOKEN or TWILIO_AUTH_TOKEN in the environment (or their _FILE twins), so that the signature is checked too";
            return Some(Line::new(Verdict::Info, "signature", request, says).fix(fix));
        }
        for (wrong, said) in self.wrong_urls() {
            let answer = self.client().ask_signed(ask.clone(), Some(&wrong)).await;
            if answer.is_ok_and(|answer| !matches!(answer.status.as_u16(), 401 | 403)) {
                let says = format!(
                    "your app rebuilds the URL as {said}: so signed, the request is accepted; signed as Twilio does it, for {}://{}{}, it is refused",
                    self.url.scheme.name(),
                    self.url.authority(),
                    if self.url.target.contains('?') {
                        format!("{}?…", self.url.path())
                    } else {
                        self.url.path().to_owned()
                    },
                );
                let fix = "let the app trust X-Forwarded-Proto and X-Forwarded-Host of the proxy in front, and validate the whole URL, query included";
                return Some(
                    Line::new(Verdict::NoGo, "signature", request, says)
                        .cause("unauthorized")
                        .fix(fix),
                );
            }
        }
        let says = "refused, signed for each of the usual wrong URLs as well";
        let fix = "check that the app has the primary auth token of this very account, or what else refuses the request";
        Some(Line::new(Verdict::NoGo, "signature", request, says).code(11_200).fix(fix))
    }

    /// The usual wrong URLs, each with how it is told.
    fn wrong_urls(&self) -> Vec<(Url, String)> {
        let url = &self.url;
        let http = Url { scheme: Scheme::Http, ..url.clone() };
        let inner = Url { target: url.target.clone(), userinfo: None, ..self.inner.clone() };
        let bare = |url: &Url| Url { target: url.path().to_owned(), ..url.clone() };
        let slashed =
            Url { target: format!("{}/", url.target.trim_end_matches('/')), ..url.clone() };
        let with_port = Url { port: Some(url.port()), ..url.clone() };
        let https = Url { scheme: Scheme::Https, ..url.clone() };
        let inner_https = Url { scheme: Scheme::Https, ..inner.clone() };
        let mut wrong = vec![
            (http.clone(), format!("http://{}…", url.authority())),
            (https, format!("https://{}…", url.authority())),
            (bare(url), format!("{} without its query", url.scheme.name())),
            (bare(&http), format!("http://{}… without its query", url.authority())),
            (
                inner.clone(),
                format!("{}://{}…, the inner host", inner.scheme.name(), inner.authority()),
            ),
            (
                bare(&inner),
                format!("{}://{}… without its query", inner.scheme.name(), inner.authority()),
            ),
            (inner_https.clone(), format!("https://{}…, the inner host", inner_https.authority())),
            (slashed, "the same with a slash at the end".to_owned()),
            (with_port, "the same with its port".to_owned()),
        ];
        wrong.retain(|(wrong, _)| wrong.to_string() != url.to_string());
        wrong
    }
}
