//! What is written, as statements.

use std::collections::HashMap;
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::convert::{list, number, pack, sid_to_blob, signed};
use super::counted::Counted;
use super::queue::{Item, NewIncident};
use super::read::Traffic;
use super::{StoreError, step};
use crate::incidents::outbreak::Outbreak;

/// Writes all of it or nothing.
pub(super) fn all<'i>(
    db: &mut Connection,
    items: impl Iterator<Item = &'i Item> + Clone,
    counted: &mut Counted,
) -> Result<(), StoreError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let keys = outbreaks(&transaction, items.clone(), counted)?;
    let calls = items.clone().filter_map(|item| match item {
        Item::Steps(sid, steps) => Some((sid.as_str(), steps.as_slice())),
        _ => None,
    });
    step::write(&transaction, calls)?;
    let mut new = Vec::new();
    for item in items {
        match item {
            Item::Incident(one) => {
                new.extend(keys.get(&one.outbreak.id).map(|key| (&**one, *key)));
            }
            Item::Outbreak(_) | Item::Steps(..) => {}
            Item::Traffic(minutes) => {
                for minute in minutes {
                    traffic(&transaction, minute)?;
                }
            }
        }
    }
    incidents(&transaction, &new)?;
    transaction.commit()?;
    Ok(())
}

/// Writes how each outbreak stands after all items; gives their keys.
fn outbreaks<'i>(
    db: &Transaction<'_>,
    items: impl Iterator<Item = &'i Item>,
    counted: &mut Counted,
) -> Result<HashMap<Uuid, i64>, StoreError> {
    let mut latest: Vec<&Outbreak> = Vec::new();
    let mut places = HashMap::new();
    for item in items {
        let standing = match item {
            Item::Incident(new) => &new.outbreak,
            Item::Outbreak(outbreak) => outbreak,
            Item::Steps(..) | Item::Traffic(_) => continue,
        };
        let place = *places.entry(standing.id).or_insert(latest.len());
        match latest.get_mut(place) {
            Some(known) => *known = standing,
            None => latest.push(standing),
        }
    }
    latest.into_iter().map(|standing| Ok((standing.id, outbreak(db, standing, counted)?))).collect()
}

/// Incidents that one statement writes: it costs more than they do.
const AT_ONCE: usize = 8;
/// The columns of an incident.
const COLUMNS: &str = "id, time_ms, outbreak, slot, method, path, call, message, caller, callee,
    outcome, observe, causes, codes, upstream_ms, budget_left_ms,
    role, parent, belief, call_status, stream, signature, summary";

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert_of(1));
static INSERT_MANY: LazyLock<String> = LazyLock::new(|| insert_of(AT_ONCE));

fn insert_of(rows: usize) -> String {
    let row = format!("({})", vec!["?"; COLUMNS.split(',').count()].join(", "));
    let rows = vec![row; rows].join(", ");
    format!("INSERT OR IGNORE INTO incident({COLUMNS}) VALUES {rows}")
}

/// An incident and its outbreak's key.
type Keyed<'i> = (&'i NewIncident, i64);

/// Writes incidents in their order, each under the outbreak with its key.
fn incidents(db: &Transaction<'_>, all: &[Keyed<'_>]) -> Result<(), StoreError> {
    for &(new, key) in all {
        if let Some(caller) = new.new_caller {
            new_caller(db, caller, key)?;
        }
    }
    // One with a record is written by itself: the record goes by its number.
    for some in all.chunk_by(|one, next| one.0.record.is_none() && next.0.record.is_none()) {
        let mut many = some.chunks_exact(AT_ONCE);
        for rows in many.by_ref() {
            insert(db, &INSERT_MANY, rows)?;
        }
        for row in many.remainder() {
            let inserted = insert(db, &INSERT_ONE, &[*row])?;
            // A record that can't be written is no reason to lose the incident.
            if let (Some(Ok(json)), 1) = (row.0.record.as_deref().map(pack), inserted) {
                db.prepare_cached("INSERT INTO record(seq, json) VALUES (last_insert_rowid(), ?)")?
                    .execute(params![json])?;
            }
        }
    }
    Ok(())
}

/// Notes a caller of an outbreak.
fn new_caller(db: &Transaction<'_>, caller: u64, key: i64) -> Result<(), StoreError> {
    let added = db
        .prepare_cached("INSERT OR IGNORE INTO outbreak_caller(outbreak, caller) VALUES (?, ?)")?
        .execute(params![key, signed(caller)])?;
    if added == 0 {
        // Another guard counted them.
        db.prepare_cached("UPDATE outbreak SET callers = callers - 1 WHERE key = ?")?
            .execute([key])?;
    }
    Ok(())
}

/// Writes the rows of incidents; gives how many are new.
fn insert(db: &Transaction<'_>, sql: &str, all: &[Keyed<'_>]) -> Result<usize, StoreError> {
    let mut statement = db.prepare_cached(sql)?;
    let mut at = 0;
    for (new, key) in all {
        let row = &new.row;
        let values = params![
            row.id.as_bytes(),
            number(row.time_ms),
            key,
            row.slot,
            row.method,
            row.path,
            row.call_sid.as_deref().map(sid_to_blob),
            row.message_sid.as_deref().map(sid_to_blob),
            new.from.map(signed),
            new.to.map(signed),
            row.outcome,
            row.observe,
            list(&row.causes),
            list(&row.codes),
            number(row.upstream_ms),
            number(row.budget_left_ms),
            row.role,
            row.parent,
            row.belief,
            row.call_status,
            row.stream,
            row.signature,
            row.summary,
        ];
        for value in values {
            at += 1;
            statement.raw_bind_parameter(at, value)?;
        }
    }
    Ok(statement.raw_execute()?)
}

/// Writes how an outbreak stands; gives its key. Counts grow by what is new, whoever else counts
/// there; who saw it last says whether it is closed.
fn outbreak(
    db: &Transaction<'_>,
    outbreak: &Outbreak,
    counted: &mut Counted,
) -> Result<i64, StoreError> {
    let growth = counted.growth(outbreak);
    let key = db
        .prepare_cached(
            "INSERT INTO outbreak(id, route, cause, codes, since_ms, last_ms, closed_ms, reopened, count, callers, observed, summary)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?15)
             ON CONFLICT(id) DO UPDATE SET codes = excluded.codes, summary = coalesce(excluded.summary, summary),
                closed_ms = CASE WHEN excluded.last_ms >= last_ms THEN excluded.closed_ms ELSE closed_ms END,
                last_ms = max(last_ms, excluded.last_ms), reopened = max(reopened, excluded.reopened),
                count = count + ?12, callers = callers + ?13, observed = observed + ?14
             RETURNING key",
        )?
        .query_row(
            params![
                outbreak.id.as_bytes(),
                outbreak.route,
                outbreak.cause,
                list(&outbreak.codes),
                number(outbreak.since_ms),
                number(outbreak.last_ms),
                outbreak.closed_ms.map(number),
                outbreak.reopened,
                number(outbreak.count),
                number(outbreak.callers),
                number(outbreak.observed),
                number(growth.count),
                number(growth.callers),
                number(growth.observed),
                outbreak.summary,
            ],
            |row| row.get(0),
        )?;
    Ok(key)
}

/// Adds to what became of the answers of a minute and a route.
fn traffic(db: &Transaction<'_>, traffic: &Traffic) -> Result<(), StoreError> {
    let known: Option<Vec<u8>> = db
        .prepare_cached("SELECT upstream FROM traffic WHERE minute = ? AND route = ?")?
        .query_row(params![number(traffic.minute), traffic.route], |row| row.get(0))
        .optional()?;
    let mut upstream = traffic.upstream.clone();
    if let Some(known) = known {
        upstream.add(&super::read::Durations::from_blob(&known));
    }
    db.prepare_cached(
        "INSERT INTO traffic(minute, route, untouched, repaired, replaced, failed, would_have, upstream)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT(minute, route) DO UPDATE SET untouched = untouched + excluded.untouched,
            repaired = repaired + excluded.repaired, replaced = replaced + excluded.replaced,
            failed = failed + excluded.failed, would_have = would_have + excluded.would_have, upstream = excluded.upstream",
    )?
    .execute(params![
        number(traffic.minute),
        traffic.route,
        number(traffic.untouched),
        number(traffic.repaired),
        number(traffic.replaced),
        number(traffic.failed),
        number(traffic.would_have),
        upstream.to_blob(),
    ])?;
    Ok(())
}
