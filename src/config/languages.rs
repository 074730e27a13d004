//! Ready words for callers, each with a language and a voice that Twilio's `<Say>` has.
//!
//! Source of the pairs: the `Voice` and `Language` lists of `<Say>` in Twilio's own Java library;
//! Hebrew, for which Polly has no standard voice, has the Google voice of that language.

/// One language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Language {
    /// Names that config accepts, the full one first.
    pub names: &'static [&'static str],
    /// The `language` of `<Say>`.
    pub say: &'static str,
    /// The `voice` of `<Say>`.
    pub voice: &'static str,
    /// The apology.
    pub text: &'static str,
}

/// Every name that config accepts.
pub const NAMES: &[&str] = &[
    "en-US", "en", "he-IL", "he", "arb", "ar", "es-ES", "es", "fr-FR", "fr", "de-DE", "de",
    "pt-BR", "pt",
];

/// Every language.
pub static LANGUAGES: [Language; 7] = [
    Language {
        names: &["en-US", "en"],
        say: "en-US",
        voice: "Polly.Joanna",
        text: "We are sorry. There is a technical problem. Please try again in a few minutes.",
    },
    Language {
        names: &["he-IL", "he"],
        say: "he-IL",
        voice: "Google.he-IL-Standard-A",
        text: "אנו מצטערים. אירעה תקלה טכנית. אנא נסו שוב בעוד מספר דקות.",
    },
    Language {
        names: &["arb", "ar"],
        say: "arb",
        voice: "Polly.Zeina",
        text: "نعتذر منكم. هناك مشكلة تقنية. يرجى المحاولة مرة أخرى بعد بضع دقائق.",
    },
    Language {
        names: &["es-ES", "es"],
        say: "es-ES",
        voice: "Polly.Lucia",
        text: "Lo sentimos. Hay un problema técnico. Por favor, inténtelo de nuevo en unos minutos.",
    },
    Language {
        names: &["fr-FR", "fr"],
        say: "fr-FR",
        voice: "Polly.Lea",
        text: "Nous sommes désolés. Nous rencontrons un problème technique. Veuillez réessayer dans quelques minutes.",
    },
    Language {
        names: &["de-DE", "de"],
        say: "de-DE",
        voice: "Polly.Vicki",
        text: "Es tut uns leid. Es gibt ein technisches Problem. Bitte versuchen Sie es in einigen Minuten noch einmal.",
    },
    Language {
        names: &["pt-BR", "pt"],
        say: "pt-BR",
        voice: "Polly.Camila",
        text: "Pedimos desculpas. Estamos com um problema técnico. Por favor, tente novamente em alguns minutos.",
    },
];

/// The language of a name.
pub fn language(name: &str) -> &'static Language {
    LANGUAGES.iter().find(|language| language.names.contains(&name)).unwrap_or(&LANGUAGES[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{Fallback, Fallbacks};
    use crate::twilio::Slot;

    #[test]
    fn every_name_has_its_language() {
        let names: Vec<_> = LANGUAGES.iter().flat_map(|language| language.names).copied().collect();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn every_apology_fits_its_slot() {
        for language in &LANGUAGES {
            let fallbacks = Fallbacks::spoken(language.say, language.voice, language.text);
            for slot in [Slot::Voice, Slot::Action] {
                let body = &fallbacks.of(slot).unwrap().body;
                Fallback::compile("x", std::str::from_utf8(body).unwrap(), slot).unwrap();
            }
        }
    }
}
