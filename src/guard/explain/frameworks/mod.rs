//! Frameworks that give themselves away, and what to write in each to fix a cause.
//!
//! One file each: marks and fixes. A fix answers needs; a [`Need`] is what several causes have in
//! common once it comes to mending the program that made the answer.

mod aspnet;
mod django;
mod express;
mod fastapi;
mod flask;
mod go;
mod lambda;
mod laravel;
mod need;
mod php;
mod rails;
mod servers;
mod sinatra;
mod spring;
mod wordpress;

use http::HeaderMap;

use super::super::{Finding, origins};
pub use need::Need;

/// A framework or server with its marks and fixes.
#[derive(Debug)]
pub struct Framework {
    /// Its name.
    pub name: &'static str,
    /// Names under which its pages are known.
    origins: &'static [&'static str],
    /// Starts of header lines that it sends, lower case, `name: value`.
    headers: &'static [&'static str],
    /// What to write in it.
    fixes: &'static [Fix],
}

/// What to write.
#[derive(Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it is good for.
    needs: &'static [Need],
    /// One sentence without a full stop.
    pub says: &'static str,
    /// A few lines of code or configuration.
    pub code: &'static str,
}

impl Framework {
    /// What to write in it for this need.
    pub fn fix(&self, need: Need) -> Option<&'static Fix> {
        self.fixes.iter().find(|fix| fix.needs.contains(&need))
    }
}

/// More specific ones first: a Laravel answer carries PHP's header as well.
static FRAMEWORKS: &[&Framework] = &[
    &flask::FRAMEWORK,
    &django::FRAMEWORK,
    &fastapi::FRAMEWORK,
    &express::FRAMEWORK,
    &rails::FRAMEWORK,
    &sinatra::FRAMEWORK,
    &laravel::FRAMEWORK,
    &wordpress::FRAMEWORK,
    &php::FRAMEWORK,
    &aspnet::FRAMEWORK,
    &lambda::FRAMEWORK,
    &spring::FRAMEWORK,
    &go::FRAMEWORK,
    &servers::CLOUDFLARE,
    &servers::NGROK,
    &servers::NGINX,
    &servers::APACHE,
];

/// A framework and what gave it away.
#[derive(Debug, Clone)]
pub struct Recognised {
    /// Which.
    pub framework: &'static Framework,
    /// What gave it away, for people.
    pub by: String,
}

/// The framework that made an answer: its pages' wording first, then its headers.
pub(super) fn recognise(text: &str, headers: &HeaderMap) -> Option<Recognised> {
    let page = origins::named(text, headers);
    let known = |name: &str| FRAMEWORKS.iter().find(|f| f.origins.contains(&name));
    let framework = page.and_then(|(name, _)| known(name));
    if let (Some(framework), Some((_, marks))) = (framework, page) {
        let mark = marks.first().map_or("", |mark| mark.trim_start_matches('~')).trim();
        let by = if marks.first().is_some_and(|mark| mark.starts_with('~')) {
            format!("header `{mark}`")
        } else {
            format!("the answer says `{}`", mark.replace('\n', " "))
        };
        return Some(Recognised { framework, by });
    }
    FRAMEWORKS.iter().find_map(|framework| {
        let line = sent(headers, framework.headers)?;
        Some(Recognised { framework, by: format!("header `{line}`") })
    })
}

/// The first header line that begins with one of the marks.
fn sent(headers: &HeaderMap, marks: &[&str]) -> Option<String> {
    headers.iter().take(100).find_map(|(name, value)| {
        let value = value.to_str().ok()?;
        let line = format!("{name}: {}", value.to_ascii_lowercase());
        let shown: String = value.chars().take(60).collect();
        marks.iter().any(|mark| line.starts_with(mark)).then(|| format!("{name}: {shown}"))
    })
}

/// What to write for these findings: at most two fixes, the first finding's first.
pub(super) fn fixes(
    framework: &'static Framework,
    findings: &[Finding],
    status: u16,
    text: &str,
) -> Vec<(&'static str, &'static Fix)> {
    let mut fixes: Vec<(&'static str, &'static Fix)> = Vec::new();
    for finding in findings {
        let need = need::of(finding.cause.slug, status, text);
        let Some(fix) = need.and_then(|need| framework.fix(need)) else { continue };
        if !fixes.iter().any(|(_, known)| *known == fix) {
            fixes.push((finding.cause.slug, fix));
        }
    }
    fixes.truncate(2);
    fixes
}

#[cfg(test)]
mod tests;
