//! Judging the answer to a status callback.

use super::{body_findings, is_challenge, redirect_refused, status_finding};
use crate::guard::assess::{Assessment, Verdictless};
use crate::guard::causes::{headers, status};
use crate::guard::exchange::{Answer, Exchange};
use crate::guard::finding::{Finding, Grade};

/// A status callback: whatever came is fine, as long as it says that it arrived.
pub(super) fn callback(exchange: &Exchange, answer: &Answer) -> Assessment {
    if is_challenge(exchange, answer) && exchange.call.acknowledged.is_none() {
        let (findings, outcome) = (Vec::new(), Verdictless::Accepted);
        return Assessment { findings, outcome, decoded: answer.body.clone() };
    }
    let mut findings = body_findings(answer);
    findings
        .extend(status_finding(answer).filter(|finding| !finding.is(&status::odd_success::CAUSE)));
    if answer.status.is_redirection() {
        findings.push(redirect_refused(answer));
    }
    let outcome = match (findings.is_empty(), acknowledged(exchange)) {
        (true, None) => Verdictless::Accepted,
        (true, Some(after)) => {
            let status = answer.status.as_u16();
            let took = exchange.elapsed.as_secs_f32();
            let evidence = format!("{after}, the backend answered {status} after {took:.1} s");
            let finding = Finding::new(&headers::callback_slow::CAUSE, evidence);
            findings.push(finding.repaired(Grade::Lossless));
            Verdictless::Acknowledged
        }
        (false, after) => {
            let after = after.map_or_else(String::new, |after| format!("; {after}"));
            let evidence = format!("status {}{after}", answer.status);
            // First: what a callback lacks is not TwiML, whatever else is true of the answer.
            findings.insert(0, Finding::new(&headers::callback_failed::CAUSE, evidence));
            Verdictless::Unfit
        }
    };
    Assessment { findings, outcome, decoded: answer.body.clone() }
}

/// That Twilio was answered in the backend's place, where it was.
pub(super) fn acknowledged(exchange: &Exchange) -> Option<String> {
    let after = exchange.call.acknowledged?;
    Some(format!("acknowledged for you after {:.1} s", after.as_secs_f32()))
}
