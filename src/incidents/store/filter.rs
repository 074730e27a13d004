//! Which incidents are asked for.

use rusqlite::types::Value;
use uuid::Uuid;

use super::convert::{number, sid_to_blob, signed};

/// Which incidents; everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this time on, milliseconds since the Unix epoch.
    pub since_ms: Option<u64>,
    /// Before this time.
    pub until_ms: Option<u64>,
    /// On the route of this name.
    pub route: Option<String>,
    /// With this cause among their findings.
    pub cause: Option<String>,
    /// Of this call or message.
    pub sid: Option<String>,
    /// From or to the number with this hash ([`Identity::hash`](crate::incidents::identity::Identity::hash)).
    pub number: Option<u64>,
    /// That would have become this code of Twilio.
    pub code: Option<u32>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Of this outbreak.
    pub outbreak: Option<Uuid>,
}

/// A page of a list, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Most entries.
    pub limit: usize,
    /// Only what is older than this incident.
    pub before: Option<Uuid>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 100, before: None }
    }
}

impl Filter {
    /// Conditions on `incident i JOIN outbreak o`, with their values.
    pub(super) fn conditions(&self) -> (String, Vec<Value>) {
        let mut all = vec!["1".to_owned()];
        let mut values = Vec::new();
        let mut add = |condition: &str, own: &[Value]| {
            all.push(condition.to_owned());
            values.extend_from_slice(own);
        };
        if let Some(since) = self.since_ms {
            add("i.time_ms >= ?", &[Value::Integer(number(since))]);
        }
        if let Some(until) = self.until_ms {
            add("i.time_ms < ?", &[Value::Integer(number(until))]);
        }
        if let Some(route) = &self.route {
            add("o.route = ?", &[Value::Text(route.clone())]);
        }
        if let Some(cause) = &self.cause {
            add("instr(i.causes, ?) > 0", &[Value::Text(format!(",{cause},"))]);
        }
        if let Some(sid) = &self.sid {
            let blob = Value::Blob(sid_to_blob(sid));
            add("(i.call = ? OR i.message = ?)", &[blob.clone(), blob]);
        }
        if let Some(hash) = self.number {
            let hash = Value::Integer(signed(hash));
            add("(i.caller = ? OR i.callee = ?)", &[hash.clone(), hash]);
        }
        if let Some(code) = self.code {
            add("instr(i.codes, ?) > 0", &[Value::Text(format!(",{code},"))]);
        }
        if let Some(outcome) = &self.outcome {
            add("i.outcome = ?", &[Value::Text(outcome.clone())]);
        }
        if let Some(id) = self.outbreak {
            add("o.id = ?", &[Value::Blob(id.as_bytes().to_vec())]);
        }
        (all.join(" AND "), values)
    }

    /// Whether nothing is asked for in particular.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
