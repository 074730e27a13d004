//! The store against real files.

mod steps;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::*;
use crate::clock;
use crate::incidents::instruments;
use crate::incidents::outbreak::{Outbreaks, Seen};
use crate::incidents::record::{Record, Row};
use crate::incidents::sample::Sample;
use crate::telemetry::metrics::Metrics;

const KEEP: Keep = Keep { age: Duration::from_hours(24), bytes: 64 * 1024 * 1024 };

fn started(folder: &Path) -> (Store, StoreHandle, Metrics) {
    let metrics = instruments().unwrap();
    let (store, handle, _) = Store::start(folder, KEEP, metrics.clone()).unwrap();
    (store, handle, metrics)
}

fn finish(handle: StoreHandle) {
    handle.finish(Instant::now() + Duration::from_secs(10));
}

/// Incidents of one outbreak, as the journal hands them over.
fn incidents(count: u64, caller: u64) -> Vec<Item> {
    let mut outbreaks = Outbreaks::new(Duration::from_mins(10));
    (0..count)
        .map(|n| {
            let incident = Sample::default().body(500, "text/html", "<h1>Oops</h1>").incident();
            let row = Row { time_ms: clock::now_ms(), ..Row::of(&incident.told()) };
            let seen = Seen {
                route: &row.route,
                cause: &row.cause,
                codes: &row.codes,
                time_ms: row.time_ms,
                caller: Some(caller),
                observe: false,
                answer: 1,
                summary: "12100 averted",
            };
            let noted = outbreaks.note(&seen, Duration::from_millis(n), || incident.id);
            let record = noted.whole.then(|| {
                Box::new(Record::of(&incident, row.clone(), crate::config::Capture::Masked))
            });
            Item::Incident(Box::new(NewIncident {
                row,
                record,
                outbreak: noted.outbreak,
                from: Some(caller),
                to: Some(99),
                new_caller: noted.new_caller.then_some(caller),
            }))
        })
        .collect()
}

fn offer(store: &Store, items: Vec<Item>) {
    for item in items {
        store.offer(item);
    }
}

/// Looks until it holds, for some seconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn count(folder: &Path) -> u64 {
    Reader::open(&folder.join(FILE)).and_then(|r| r.count(&Filter::default())).unwrap_or_default()
}

#[test]
fn what_was_offered_is_read_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(100, 7));
    eventually("a reader beside the writer", || count(folder.path()) == 100);
    let reader = Reader::open(&folder.path().join(FILE)).unwrap();
    let outbreaks = reader.outbreaks(&Filter::default(), false, Page::default()).unwrap();
    assert_eq!(outbreaks.len(), 1);
    let outbreak = &outbreaks[0];
    assert_eq!((outbreak.count, outbreak.callers, outbreak.codes[0]), (100, 1, 11200));
    let rows = reader.incidents(&Filter::default(), Page { limit: 3, before: None }).unwrap();
    let older = Page { limit: 200, before: Some(rows[2].row.id) };
    assert_eq!(reader.incidents(&Filter::default(), older).unwrap().len(), 97);
    assert_eq!(rows[0].row.call_sid.as_deref(), Some("CA0123456789abcdef0123456789abcdef"));
    let all = reader.incidents(&Filter::default(), Page { limit: 200, before: None }).unwrap();
    let whole: Vec<_> = all.iter().filter(|incident| incident.whole).collect();
    assert_eq!(whole.len(), 5);
    let record = reader.record(whole[0].seq).unwrap().unwrap();
    assert_eq!(record.row, whole[0].row);
    assert!(record.attempts[0].answer.as_ref().unwrap().body.text.contains("Oops"));
    let prefix = &record.row.id.to_string()[..30];
    assert!(reader.by_prefix(prefix).unwrap().iter().any(|found| found.row == record.row));
    assert!(reader.by_prefix("xyz").unwrap().is_empty());
    finish(handle);
}

#[test]
fn what_goes_in_together_keeps_its_order_and_its_records() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    let mut items = incidents(40, 7);
    for (at, item) in items.iter_mut().enumerate() {
        if let Item::Incident(new) = item
            && at % 19 != 11
        {
            new.record = None;
        } else if let Item::Incident(new) = item {
            let incident = Sample::default().incident();
            let record = Record::of(&incident, new.row.clone(), crate::config::Capture::Masked);
            new.record = Some(Box::new(record));
        }
    }
    let row = |item: &Item| match item {
        Item::Incident(new) => new.row.clone(),
        _ => panic!("no incident"),
    };
    let rows: Vec<Row> = items.iter().map(row).collect();
    offer(&store, items.clone());
    // Offered again, each is there once all the same.
    offer(&store, items);
    finish(handle);
    let reader = Reader::open(&folder.path().join(FILE)).unwrap();
    let mut stored =
        reader.incidents(&Filter::default(), Page { limit: 200, before: None }).unwrap();
    stored.reverse();
    assert_eq!(stored.iter().map(|stored| stored.row.clone()).collect::<Vec<_>>(), rows);
    let whole: Vec<_> = stored.iter().filter(|stored| stored.whole).collect();
    assert_eq!(whole.len(), 2);
    for stored in whole {
        assert_eq!(reader.record(stored.seq).unwrap().unwrap().row, stored.row);
    }
}

#[test]
fn filters_take_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(3, 7));
    offer(&store, incidents(2, 8));
    finish(handle);
    let reader = Reader::open(&folder.path().join(FILE)).unwrap();
    let none = Filter::default;
    for (filter, expected) in [
        (Filter { number: Some(7), ..none() }, 3),
        (Filter { number: Some(99), ..none() }, 5),
        (Filter { code: Some(12100), ..none() }, 5),
        (Filter { code: Some(121), ..none() }, 0),
        (Filter { cause: Some("html-page".to_owned()), ..none() }, 5),
        (Filter { cause: Some("html".to_owned()), ..none() }, 0),
        (Filter { route: Some("/voice".to_owned()), ..none() }, 5),
        (Filter { sid: Some("CA0123456789abcdef0123456789abcdef".to_owned()), ..none() }, 5),
        (Filter { since_ms: Some(clock::now_ms() + 1_000), ..none() }, 0),
        (Filter { until_ms: Some(1), ..none() }, 0),
        (Filter { outcome: Some("replaced".to_owned()), ..none() }, 5),
    ] {
        assert_eq!(reader.count(&filter).unwrap(), expected, "{filter:?}");
        let found = reader.outbreaks(&filter, true, Page::default()).unwrap();
        assert_eq!(found.is_empty(), expected == 0, "{filter:?}");
    }
}

#[test]
fn files_are_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("state");
    let (store, handle, _) = started(&inner);
    offer(&store, incidents(3, 7));
    eventually("written", || count(&inner) == 3);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    let files: Vec<_> = fs::read_dir(&inner).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    finish(handle);
}

#[test]
fn a_damaged_file_is_put_aside_and_recording_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE), "this is no database".repeat(1_000)).unwrap();
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(3, 7));
    eventually("recorded in a new file", || count(folder.path()) == 3);
    finish(handle);
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let aside = names.filter(|name| name.to_string_lossy().contains(".damaged-")).count();
    assert_eq!(aside, 1);
}

#[test]
fn a_folder_that_vanishes_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("state");
    let (store, handle, metrics) = started(&inner);
    offer(&store, incidents(2, 7));
    eventually("written", || count(&inner) == 2);
    fs::remove_dir_all(&inner).unwrap();
    eventually("a new file", || inner.join(FILE).exists());
    offer(&store, incidents(3, 7));
    eventually("written again", || count(&inner) == 3);
    assert!(metrics.render().contains("twiml_guard_store_up 1\n"));
    finish(handle);
}

#[test]
fn what_waits_while_nothing_can_be_written_is_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("state");
    fs::write(&inner, "a file where the folder should be").unwrap();
    let (store, handle, metrics) = started(&inner);
    offer(&store, incidents(3, 7));
    assert!(metrics.render().contains("twiml_guard_store_up 0\n"));
    std::thread::sleep(Duration::from_millis(300));
    fs::remove_file(&inner).unwrap();
    eventually("written later", || count(&inner) == 3);
    finish(handle);
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    finish(started(folder.path()).1);
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    drop(db);
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(1, 7));
    finish(handle);
    let error = Reader::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    assert!(error.to_string().contains("use the newer twiml-guard"), "{error}");
}

#[test]
fn somebody_elses_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs(a)").unwrap();
    let (_, handle, _) = started(folder.path());
    finish(handle);
    assert!(matches!(Reader::open(&path).unwrap_err(), StoreError::Foreign));
    let db = Connection::open(&path).unwrap();
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn the_oldest_go_first_and_space_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(4_000, 7));
    finish(handle);
    let path = folder.path().join(FILE);
    let mut db = open::for_writing(&path).unwrap().connection;
    let before = keep::on_disk(&path);
    let small = Keep { age: Duration::from_hours(1), bytes: 1024 };
    assert_eq!(keep::retain(&mut db, KEEP, clock::now_ms()).unwrap(), 0);
    assert_eq!(keep::retain(&mut db, small, clock::now_ms()).unwrap(), 4_000);
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let after = keep::on_disk(&path);
    assert!(after * 4 < before, "{before} {after}");
    let day = clock::now_ms() + 2 * 24 * 3_600_000;
    assert_eq!(keep::retain(&mut db, KEEP, day).unwrap(), 0);
}

#[test]
fn a_forgotten_number_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(3, 7));
    offer(&store, incidents(2, 8));
    finish(handle);
    let path = folder.path().join(FILE);
    assert_eq!(forget(&path, 7).unwrap(), 3);
    assert_eq!(forget(&path, 7).unwrap(), 0);
    assert_eq!(count(folder.path()), 2);
    let db = Connection::open(&path).unwrap();
    let left: i64 = db
        .query_row("SELECT count(*) FROM outbreak_caller WHERE caller = 7", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn an_earlier_run_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(3, 7));
    finish(handle);
    let (_, handle, known) = Store::start(folder.path(), KEEP, instruments().unwrap()).unwrap();
    finish(handle);
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].0.count, known[0].1.contains(&7)), (3, true));
}

#[test]
fn a_copy_is_read_where_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    offer(&store, incidents(3, 7));
    finish(handle);
    let copy = folder.path().join("copy of #1?.db");
    fs::copy(folder.path().join(FILE), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(Reader::open(&copy).unwrap().count(&Filter::default()).unwrap(), 3);
    let missing = Reader::open(&folder.path().join("none.db")).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
}
