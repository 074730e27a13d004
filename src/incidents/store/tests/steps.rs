//! What version 3 of the file added: role and state of the call, the line that blames, steps.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::super::*;
use super::{KEEP, count, finish, incidents, offer, started};
use crate::clock;
use crate::incidents::record::Row;
use crate::incidents::sample::Sample;
use crate::incidents::timeline::Step;

const SID: &str = "CA0123456789abcdef0123456789abcdef";

fn step(time_ms: u64, path: &str) -> Step {
    let incident = Sample::default().body(500, "text/html", "<h1>Oops</h1>").incident();
    let path = path.to_owned();
    Step { time_ms, path, incident: None, ..Step::from(&Row::of(&incident.told())) }
}

fn steps(folder: &Path, sid: &str) -> Vec<Step> {
    Reader::open(&folder.join(FILE)).unwrap().steps(sid).unwrap()
}

#[test]
fn role_and_state_of_the_call_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    let incident = Sample::stream_died().incident();
    let row = Row::of(&incident.told());
    let Some(Item::Incident(mut new)) = incidents(1, 7).pop() else { panic!("no incident") };
    new.row = Row { route: new.row.route.clone(), cause: new.row.cause.clone(), ..row.clone() };
    store.offer(Item::Incident(new.clone()));
    finish(handle);
    let reader = Reader::open(&folder.path().join(FILE)).unwrap();
    let found = reader.incidents(&Filter::default(), Page::default()).unwrap().pop().unwrap();
    assert_eq!(found.row, new.row);
    assert_eq!(found.row.role.as_deref(), Some("action of <Connect> from POST /incoming_call"));
    assert_eq!(found.row.call_status.as_deref(), Some("in-progress"));
    let outbreak = reader.outbreaks(&Filter::default(), true, Page::default()).unwrap().remove(0);
    assert_eq!(outbreak.summary.as_deref(), Some("12100 averted"));
}

#[test]
fn steps_are_kept_in_order_and_only_the_last_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    let now = clock::now_ms();
    let all = |range: std::ops::Range<u64>| range.map(|n| step(now + n, "/voice")).collect();
    store.offer(Item::Steps(SID.to_owned(), all(60..120)));
    store.offer(Item::Steps(SID.to_owned(), all(0..60)));
    store.offer(Item::Steps("CA1".to_owned(), all(0..2)));
    finish(handle);
    let kept = steps(folder.path(), SID);
    let times: Vec<_> = kept.iter().map(|step| step.time_ms - now).collect();
    assert_eq!(times, (20..120).collect::<Vec<_>>());
    assert_eq!(kept[0].path, "/voice");
    assert_eq!(steps(folder.path(), "CA1").len(), 2);
    assert_eq!(steps(folder.path(), "CA2"), []);
    let reader = Reader::open(&folder.path().join(FILE)).unwrap();
    assert_eq!(reader.sids("CA", "").unwrap().len(), 2);
    assert_eq!(reader.sids("", "cdef").unwrap(), [SID]);
    assert_eq!(reader.sids("CA", "1").unwrap(), ["CA1"]);
    assert_eq!(reader.sids("MM", "").unwrap(), [""; 0]);
}

#[test]
fn steps_age_with_the_incidents() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    let now = clock::now_ms();
    offer(&store, incidents(3, 7));
    store.offer(Item::Steps(SID.to_owned(), vec![step(now, "/voice"), step(now - 90_000, "/old")]));
    finish(handle);
    let mut db = open::for_writing(&folder.path().join(FILE)).unwrap().connection;
    let minute = Keep { age: Duration::from_mins(1), ..KEEP };
    keep::retain(&mut db, minute, now).unwrap();
    let kept = steps(folder.path(), SID);
    assert_eq!(kept.iter().map(|step| step.path.as_str()).collect::<Vec<_>>(), ["/voice"]);
    keep::retain(&mut db, Keep { bytes: 1024, ..KEEP }, now).unwrap();
    assert_eq!(steps(folder.path(), SID), []);
}

#[test]
fn steps_of_a_forgotten_number_are_gone_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (store, handle, _) = started(folder.path());
    let other = "CAffffffffffffffffffffffffffffffff";
    let mut all = incidents(1, 7);
    let mut others = incidents(1, 8);
    if let Some(Item::Incident(new)) = others.first_mut() {
        new.row.call_sid = Some(other.to_owned());
    }
    all.extend(others);
    offer(&store, all);
    for sid in [SID, other, "CA1"] {
        store.offer(Item::Steps(sid.to_owned(), vec![step(clock::now_ms(), "/voice")]));
    }
    finish(handle);
    forget(&folder.path().join(FILE), 7).unwrap();
    assert_eq!(steps(folder.path(), SID), []);
    assert_eq!(steps(folder.path(), other).len(), 1);
    // Whose call that was nobody knows.
    assert_eq!(steps(folder.path(), "CA1"), []);
}

/// A file as the version before wrote it, with one incident.
fn of_version_2(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(include_str!("../../../../tests/data/store-v2.sql")).unwrap();
}

#[test]
fn a_file_of_version_2_is_read_as_it_is_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    of_version_2(&path);
    let read = || {
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.steps(SID).unwrap(), []);
        assert_eq!(reader.sids("CA", "cdef").unwrap(), [SID]);
        let outbreak =
            reader.outbreaks(&Filter::default(), true, Page::default()).unwrap().remove(0);
        assert_eq!((outbreak.summary, outbreak.count), (None, 1));
        let id = outbreak.id;
        assert!(reader.outbreaks_by_prefix(&id.to_string()).unwrap().len() == 1);
        assert_eq!(reader.newest_whole_of_paths(id, 5).unwrap(), []);
        assert_eq!(reader.nearest_whole(id, 1).unwrap(), None);
        let all = reader.incidents(&Filter::default(), Page::default()).unwrap();
        assert_eq!((all.len(), all[0].row.path.as_str()), (1, "/voice"));
        assert_eq!((&all[0].row.role, &all[0].row.summary), (&None, &None));
        reader.version()
    };
    assert_eq!(read(), 2);
    let (store, handle, _) = started(folder.path());
    store.offer(Item::Steps(SID.to_owned(), vec![step(clock::now_ms(), "/voice")]));
    offer(&store, incidents(1, 7));
    finish(handle);
    assert_eq!(Reader::open(&path).unwrap().version(), schema::VERSION);
    assert_eq!(count(folder.path()), 2);
    assert_eq!(steps(folder.path(), SID).len(), 1);
}
