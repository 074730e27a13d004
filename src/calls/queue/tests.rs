use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::incidents::instruments;

fn queue(folder: &Path) -> Queue {
    Queue::start(folder, QueueConfig::default(), instruments().unwrap()).unwrap()
}

fn callback(lane: &str, body: &str) -> Waiting {
    Waiting {
        lane: lane.to_owned(),
        time_ms: clock::now_ms(),
        method: "POST".to_owned(),
        target: "/status?x=1".to_owned(),
        headers: b"host:pbx.example.com\n".to_vec(),
        body: body.as_bytes().to_vec(),
        peer: "127.0.0.1".to_owned(),
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let first = queue(folder.path());
    let mut claim = first.claim("CA1").unwrap();
    assert!(first.claim("CA1").is_none());
    let stored = [callback("CA1", "asked"), callback("CA1", "behind"), callback("CA2", "other")];
    first.put(stored[1].clone()).await.unwrap();
    first.put(stored[2].clone()).await.unwrap();
    // It came first, and is stored last.
    claim.put(stored[0].clone()).await.unwrap();
    first.finish(Duration::from_secs(5));
    let again = queue(folder.path());
    let (one, two) = (again.next().await, again.next().await);
    assert_eq!([&one.callback, &two.callback], [&stored[0], &stored[2]]);
    one.claim.taken();
    let three = again.next().await;
    assert_eq!(three.callback, stored[1]);
    three.claim.taken();
    two.claim.taken();
    again.finish(Duration::from_secs(5));
    assert_eq!(queue(folder.path()).index().standing().0, 0);
}

#[tokio::test]
async fn the_file_is_ours_alone_and_keeps_nothing_of_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let queue = queue(folder.path());
    let secret = "Digits=4111".repeat(500);
    queue.put(callback("CA1", &secret)).await.unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path| {
        let bytes = std::fs::read(path).unwrap();
        memchr::memmem::find(&bytes, b"Digits=4111").is_some()
    };
    assert!(files().any(holds));
    queue.next().await.claim.taken();
    queue.finish(Duration::from_secs(5));
    assert!(!files().any(holds));
    for path in files() {
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{path:?}"
        );
    }
}

#[tokio::test]
async fn a_queue_that_is_full_or_has_no_disk_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let small = QueueConfig { max_size: 600, ..QueueConfig::default() };
    let queue = Queue::start(folder.path(), small, instruments().unwrap()).unwrap();
    queue.put(callback("CA1", "a")).await.unwrap();
    queue.put(callback("CA1", "b")).await.unwrap();
    assert!(!queue.0.is_full.load(Ordering::Relaxed));
    assert_eq!(queue.put(callback("CA1", "c")).await, Err(Unstored::Full));
    assert!(queue.0.is_full.load(Ordering::Relaxed));
    queue.next().await.claim.taken();
    queue.next().await.claim.taken();
    queue.put(callback("CA1", "d")).await.unwrap();
    assert!(!queue.0.is_full.load(Ordering::Relaxed));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let nowhere = Queue::start(&file, QueueConfig::default(), instruments().unwrap()).unwrap();
    let refused = nowhere.put(callback("CA1", "a")).await;
    assert!(matches!(refused, Err(Unstored::Disk(_))), "{refused:?}");
    assert_eq!(nowhere.index().standing().0, 0);
}

#[tokio::test]
async fn what_is_too_old_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let config = QueueConfig { keep_for: Duration::from_millis(10), ..QueueConfig::default() };
    let queue = Queue::start(folder.path(), config, instruments().unwrap()).unwrap();
    queue.put(callback("CA1", "a")).await.unwrap();
    for _ in 0..50 {
        if queue.index().standing().0 == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it still waits");
}

/// What was put aside in this folder.
fn aside(folder: &Path) -> Vec<std::path::PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| {
        let name = path.to_string_lossy().into_owned();
        name.contains("callbacks.db.damaged-") && !name.ends_with("-journal")
    })
    .collect()
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_a_new_one_begun() {
    let folder = tempfile::tempdir().unwrap();
    let first = queue(folder.path());
    for n in 0..200 {
        first.put(callback("CA1", &format!("{n}").repeat(100))).await.unwrap();
    }
    first.finish(Duration::from_secs(5));
    let path = folder.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    let torn = [&whole[..8192], &vec![0x5a; 8192][..], &whole[16_384..]].concat();
    for (n, spoilt) in [b"no database at all ".repeat(99), torn].into_iter().enumerate() {
        std::fs::write(&path, &spoilt).unwrap();
        let again = queue(folder.path());
        assert_eq!(again.index().standing().0, 0);
        again.put(callback("CA2", "new")).await.unwrap();
        let due = again.next().await;
        assert_eq!(due.callback.body, b"new");
        due.claim.taken();
        again.finish(Duration::from_secs(5));
        let kept = aside(folder.path());
        assert_eq!(kept.len(), n + 1);
        let half = &spoilt[spoilt.len() / 2..];
        assert!(kept.iter().any(|path| std::fs::read(path).unwrap().ends_with(half)));
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_meanwhile_loses_what_waited_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let queue = queue(folder.path());
    for n in 0..200 {
        queue.put(callback(&format!("CA{n}"), &"x".repeat(30_000))).await.unwrap();
    }
    let path = folder.path().join(FILE);
    let size = std::fs::metadata(&path).unwrap().len();
    let spoilt = vec![0x5a; usize::try_from(size).unwrap()];
    // In place: the file that is open is the one that is spoilt. It is larger than what SQLite keeps.
    std::os::unix::fs::FileExt::write_all_at(
        &std::fs::OpenOptions::new().write(true).open(&path).unwrap(),
        &spoilt,
        0,
    )
    .unwrap();
    for n in 0..200 {
        if aside(folder.path()).is_empty() {
            let _ = queue.put(callback(&format!("CB{n}"), &"y".repeat(9000))).await;
            // Nothing is due any more once the damage was found.
            let next = timeout(Duration::from_millis(100), queue.next()).await;
            drop(next.map(|due| due.claim.taken()));
        }
    }
    assert_eq!(aside(folder.path()).len(), 1);
    assert!(queue.index().standing().0 < 10, "what can't be read waits no more");
    let before = queue.index().standing().0;
    queue.put(callback("CC", "new")).await.unwrap();
    assert_eq!(queue.index().standing().0, before + 1);
    queue.finish(Duration::from_secs(5));
    let again = self::queue(folder.path());
    assert_eq!(again.index().standing().0, before + 1);
}

#[tokio::test]
async fn what_only_looks_like_a_database_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    for damaged in [b"no database at all, and longer than a header. ".repeat(99), {
        let mut bytes = b"SQLite format 3\0".to_vec();
        bytes.resize(5_000, 0xa5);
        bytes
    }] {
        std::fs::write(&path, damaged).unwrap();
        let queue = queue(folder.path());
        queue.put(callback("CA1", "kept")).await.unwrap();
        assert_eq!(queue.next().await.callback.body, b"kept");
        queue.finish(Duration::from_secs(5));
    }
    let names = std::fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_aside = |name: &String| name.contains(".damaged-") && !name.ends_with("-journal");
    assert_eq!(names.filter(is_aside).count(), 2);
}
