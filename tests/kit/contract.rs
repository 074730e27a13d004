//! The contract of a delivery, and that it stands when it is judged again.

use std::time::Duration;

use http::header;
use twiml_guard::guard::{
    Answer, BodyEnd, CallFacts, Delivery, DeliveryKind, Exchange, Judgement, Outcome, Policy,
    Verdict, judge,
};
use twiml_guard::twilio::Slot;

/// What kind of thing leaves, as far as the contract is concerned.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    /// TwiML, bound by the whole contract.
    Twiml,
    /// What Twilio takes without TwiML: sound, prose, a challenge, an answer to a callback.
    Other,
    /// A 502 for Twilio's own Fallback URL.
    Refusal,
}

/// Holds what was enforced against the contract; the message says what is broken.
pub fn hold(exchange: &Exchange, policy: &Policy, judgement: &Judgement) -> Result<Left, String> {
    let delivery = judgement.withheld.as_ref().unwrap_or(&judgement.delivery);
    if delivery.kind == DeliveryKind::Refusal {
        let is_no_handshake = exchange.slot == Slot::Stream && delivery.status.as_u16() == 426;
        if delivery.status.as_u16() != 502 && !is_no_handshake || delivery.body.is_empty() {
            return Err(format!("a refusal is a 502 that says why: {}", delivery.status));
        }
        return Ok(Left::Refusal);
    }
    framing(exchange, delivery)?;
    let left = match exchange.slot {
        Slot::Callback | Slot::Stream => Left::Other,
        _ if is_twiml(delivery) => {
            twiml(delivery)?;
            Left::Twiml
        }
        _ => taken_without_twiml(exchange, delivery)?,
    };
    again(exchange, policy, delivery)?;
    Ok(left)
}

fn framing(exchange: &Exchange, delivery: &Delivery) -> Result<(), String> {
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        if delivery.headers.contains_key(&name) {
            return Err(format!("framing is the shell's: {name}"));
        }
    }
    if delivery.kind != DeliveryKind::Original {
        // Of an answer without TwiML that lost a cookie, the body is still the one encoded so.
        let is_same =
            matches!(&exchange.outcome, Outcome::Answered(answer) if answer.body == delivery.body);
        let encoding = (!is_same).then_some(header::CONTENT_ENCODING);
        for name in [header::ETAG, header::LAST_MODIFIED].into_iter().chain(encoding) {
            if delivery.headers.contains_key(&name) {
                return Err(format!("{name} speaks of another body"));
            }
        }
        if delivery.headers.get(header::CACHE_CONTROL).is_none_or(|value| value != "no-store") {
            return Err("expected Cache-Control: no-store".to_owned());
        }
        for cookie in delivery.headers.get_all(header::SET_COOKIE) {
            if cookie.as_bytes().iter().any(u8::is_ascii_control) {
                return Err(format!("cookie {cookie:?}"));
            }
        }
    }
    Ok(())
}

fn is_twiml(delivery: &Delivery) -> bool {
    let essence = content_type(delivery);
    delivery.status.as_u16() == 200
        && matches!(essence.as_str(), "text/xml" | "application/xml" | "text/html")
}

fn content_type(delivery: &Delivery) -> String {
    let value = delivery.headers.get(header::CONTENT_TYPE);
    let value = value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn twiml(delivery: &Delivery) -> Result<(), String> {
    if delivery.headers.get_all(header::CONTENT_TYPE).iter().count() != 1 {
        return Err("expected one Content-Type".to_owned());
    }
    if delivery.headers.contains_key(header::CONTENT_ENCODING) {
        return Err("Content-Encoding is there".to_owned());
    }
    if delivery.kind != DeliveryKind::Original
        && delivery.headers.get(header::CONTENT_TYPE).is_none_or(|v| v != "text/xml; charset=utf-8")
        && !delivery.body.is_ascii()
    {
        return Err("a changed answer says text/xml; charset=utf-8".to_owned());
    }
    if delivery.body.len() > 65_536 {
        return Err(format!("{} bytes", delivery.body.len()));
    }
    let text = std::str::from_utf8(&delivery.body).map_err(|error| error.to_string())?;
    if text.contains('\u{feff}') && text.starts_with('\u{feff}') {
        return Err("begins with a byte order mark".to_owned());
    }
    if behind_prolog(text).starts_with("<!") {
        return Err("has a DOCTYPE".to_owned());
    }
    if !text.contains("<Response") {
        return Err("has no root `Response`".to_owned());
    }
    Ok(())
}

/// The text from the first markup on that is neither a comment nor a processing instruction.
fn behind_prolog(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("<!--") {
            comment.split_once("-->")
        } else if let Some(instruction) = rest.strip_prefix("<?") {
            instruction.split_once("?>")
        } else {
            None
        };
        match after {
            Some((_, after)) => rest = after.trim_start(),
            None => return rest,
        }
    }
}

fn taken_without_twiml(exchange: &Exchange, delivery: &Delivery) -> Result<Left, String> {
    let essence = content_type(delivery);
    let taken = match delivery.status.as_u16() {
        // What Twilio did not send is refused as the backend refuses it.
        401 | 403 if exchange.call.signature.is_refuted() => true,
        401 => delivery.headers.contains_key(header::WWW_AUTHENTICATE),
        200..=299 if essence == "text/plain" => !delivery.body.is_empty(),
        200..=299 if essence.starts_with("audio/") => exchange.slot.is_voice(),
        _ => false,
    };
    if taken {
        return Ok(Left::Other);
    }
    Err(format!("neither TwiML nor taken without: {} {essence}", delivery.status))
}

/// Judging the delivery once more must leave it as it is.
fn again(exchange: &Exchange, policy: &Policy, delivery: &Delivery) -> Result<(), String> {
    let mut headers = delivery.headers.clone();
    headers.insert(header::CONTENT_LENGTH, delivery.body.len().into());
    let answer = Answer {
        status: delivery.status,
        headers,
        body: delivery.body.clone(),
        end: BodyEnd::Complete,
        odd: twiml_guard::guard::Oddities::default(),
    };
    let second = Exchange {
        attempts: Vec::new(),
        outcome: Outcome::Answered(answer),
        elapsed: Duration::ZERO,
        call: CallFacts { signature: exchange.call.signature.clone(), ..CallFacts::default() },
        ..exchange.clone()
    };
    let policy = Policy { observe: false, ..policy.clone() };
    let judgement = judge(&second, &policy);
    if judgement.verdict == Verdict::Untouched && judgement.delivery.body == delivery.body {
        return Ok(());
    }
    let causes: Vec<_> = judgement
        .findings
        .iter()
        .map(|finding| format!("{}: {}", finding.cause.slug, finding.evidence))
        .collect();
    Err(format!(
        "judged again it is {}, not untouched: {}",
        judgement.verdict.name(),
        causes.join("; ")
    ))
}
