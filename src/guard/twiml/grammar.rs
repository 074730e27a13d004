//! TwiML's elements: where each may stand and whether it holds text.
//!
//! Source: Twilio's Python SDK, introspected. An unknown element or attribute is a warning at
//! most: the SDK is a generated client grammar, not the server's schema.

use super::derived::RULES;

/// The channel an element belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Voice and messaging.
    Both,
    /// Messaging only.
    Messaging,
    /// Voice only.
    Voice,
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// Its channel.
    pub family: Family,
    /// Whether it may hold text.
    pub text: bool,
    /// The elements that may stand directly inside.
    pub children: &'static [&'static str],
    /// Its attributes.
    pub attributes: &'static [&'static str],
}

/// The rule of an element, by its exact name.
pub fn rule(name: &str) -> Option<&'static Rule> {
    let at = RULES.binary_search_by_key(&name, |rule| rule.name).ok()?;
    RULES.get(at)
}

/// Every element, sorted by name.
pub fn rules() -> &'static [Rule] {
    RULES
}

/// The attributes of an element, by its exact name; none for an unknown one.
pub fn attributes(element: &str) -> &'static [&'static str] {
    rule(element).map_or(&[], |rule| rule.attributes)
}

/// The rule of an element whose name may be in another letter case; `None` if more than one fits.
pub fn ignoring_case(name: &str) -> Option<&'static Rule> {
    rule(name).or_else(|| {
        let mut fitting = RULES.iter().filter(|rule| rule.name.eq_ignore_ascii_case(name));
        fitting.next().filter(|_| fitting.next().is_none())
    })
}

/// Whether `child` may stand directly inside `parent`.
pub fn allows(parent: &str, child: &str) -> bool {
    rule(parent).is_some_and(|rule| rule.children.contains(&child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(RULES.is_sorted_by(|one, next| one.name < next.name));
    }

    #[test]
    fn every_child_has_a_rule_of_its_own() {
        for child in RULES.iter().flat_map(|rule| rule.children) {
            assert!(rule(child).is_some(), "{child}");
        }
    }

    #[test]
    fn nesting_is_known() {
        assert!(allows("Response", "Say") && allows("Gather", "Say") && allows("Say", "break"));
        assert!(!allows("Say", "Dial") && !allows("Say", "Say"));
    }
}
