//! A record that was kept in full, masked before it leaves.

use super::{BodyRecord, Record};
use crate::incidents::redact::Redaction;
use crate::twilio::Params;

impl Record {
    /// The same with everything masked that `capture = "masked"` masks.
    #[must_use]
    pub fn into_masked(mut self) -> Self {
        let redaction = Redaction::default();
        let params: Params =
            self.request.params.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
        let said = |text: &mut String| {
            let masked = redaction.text(&redaction.echo(text, &params));
            *text = masked;
        };
        let body = |body: &mut BodyRecord| {
            let before = body.text.clone();
            said(&mut body.text);
            body.masked |= before != body.text;
            body.base64 = None;
        };
        let headers = |headers: &mut Vec<(String, String)>| {
            for (_, value) in headers {
                *value = redaction.target(value);
            }
        };
        self.row.path = redaction.target(&self.row.path);
        let row = &mut self.row;
        for told in
            [&mut row.role, &mut row.parent, &mut row.stream, &mut row.signature, &mut row.summary]
        {
            told.iter_mut().for_each(said);
        }
        self.request.target = redaction.target(&self.request.target);
        for param in self.request.params.iter_mut().filter(|param| !param.masked) {
            let masked = redaction.param(&param.name, &param.value);
            param.masked = masked != param.value;
            param.value = masked;
        }
        self.findings.iter_mut().for_each(|finding| said(&mut finding.evidence));
        self.failure.iter_mut().for_each(said);
        for attempt in &mut self.attempts {
            attempt.target = redaction.target(&attempt.target);
            headers(&mut attempt.headers);
            if let Some(answer) = &mut attempt.answer {
                headers(&mut answer.headers);
                body(&mut answer.body);
            }
        }
        for delivery in [Some(&mut self.delivery), self.withheld.as_mut()].into_iter().flatten() {
            headers(&mut delivery.headers);
            body(&mut delivery.body);
        }
        self
    }
}
