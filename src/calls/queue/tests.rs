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
    assert_eq!(queue.put(callback("CA1", "c")).await, Err(Unstored::Full));
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

#[tokio::test]
async fn a_damaged_file_is_put_aside() {
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
