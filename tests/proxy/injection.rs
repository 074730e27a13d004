//! Faults at every step of a webhook: whatever ends, stalls or is reset, Twilio gets TwiML in time.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use twiml_guard::config::Config;

use crate::support::backend::{Backend, Connection, twiml};
use crate::support::client::{CALL, Client, ask, post};
use crate::support::guard::{Guard, config, nobody, route};

const BUDGET: Duration = Duration::from_millis(600);

/// Between two threads that share one core with others.
const LATE: Duration = Duration::from_millis(1_500);

/// Cases that run at a time.
const AT_A_TIME: usize = 48;

const FAULTS: [&str; 3] = ["end", "reset", "stall"];

const BODY: &str = "<Response><Say>hi</Say></Response>";

/// A good answer in this framing.
fn framed(framing: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n";
    match framing {
        "length" => format!("{head}Content-Length: {}\r\n\r\n{BODY}", BODY.len()),
        "close" => format!("{head}\r\n{BODY}"),
        _ => {
            let (one, two) = BODY.split_at(10);
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
                one.len(),
                two.len()
            )
        }
    }
}

fn short(backend: SocketAddr) -> Config {
    let mut config = config(backend);
    config.budget = BUDGET;
    config.connect_timeout = BUDGET / 2;
    config.max_request_body = 8 * 1024 * 1024;
    route(&mut config, "/voice", "voice", |_| {});
    config
}

/// The value of a parameter of the request's target.
fn said<'r>(request: &'r str, name: &str) -> &'r str {
    let target = request.split(' ').nth(1).unwrap_or_default();
    let mut pairs = target.split(['?', '&']).filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| *own == name).map_or("", |(_, value)| value)
}

/// Ends a connection as the fault says.
fn end(connection: &mut Connection, fault: &str) {
    match fault {
        "reset" => {
            // Time for what was said to be read.
            connection.rest(5);
            connection.reset();
        }
        "stall" => {
            let _ = connection.exactly(1);
        }
        _ => {}
    }
}

/// Asks, and holds the answer against the promise.
fn promised(address: SocketAddr, request: &[u8], what: &str) -> Result<(), String> {
    let start = Instant::now();
    let answer = ask(address, request);
    let took = start.elapsed();
    let text = answer.text();
    let is_twiml = text.contains("<Response>") && text.trim_end().ends_with("</Response>");
    let is_well_formed = well_formed(&text);
    if answer.status() != 200
        || !is_twiml
        || !is_well_formed
        || took > BUDGET + LATE
        || answer.header("twiml-guard-incident").is_none()
    {
        return Err(format!("{what}: after {took:?} {} {text}", answer.head));
    }
    Ok(())
}

fn well_formed(text: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// Runs all cases, so many at a time; the failures.
fn all(address: SocketAddr, cases: Vec<(String, Vec<u8>)>) {
    let count = cases.len();
    let (left, failures) = (Mutex::new(cases), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some((what, request)) = left.lock().unwrap().pop() else { return };
                    if let Err(failure) = promised(address, &request, &what) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {count}: {:#?}", failures.len(), &failures[..1]);
}

/// The guard is as it was.
fn assert_sound(guard: Guard, answers: u64) {
    assert_eq!(guard.metric("twiml_guard_panics_total"), 0);
    let start = Instant::now();
    while guard.metric("twiml_guard_buffered_bytes") > 0 {
        assert!(start.elapsed() < Duration::from_secs(5), "room is not given back");
        thread::sleep(Duration::from_millis(5));
    }
    let summary = guard.stop();
    assert_eq!((summary.answers, summary.lost_at_deadline), (answers, 0));
}

#[test]
fn an_answer_may_end_stall_or_be_reset_at_every_byte() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let answer = framed(said(&request, "framing"));
            let Ok(cut) = said(&request, "cut").parse::<usize>() else {
                connection.say(twiml("sound"));
                continue;
            };
            connection.say(&answer[..cut]);
            return end(connection, said(&request, "fault"));
        }
    });
    let guard = Guard::with(short(backend.address));
    let mut cases = Vec::new();
    for framing in ["length", "chunked", "close"] {
        for cut in 0..framed(framing).len() {
            for fault in FAULTS {
                let target = format!("/voice?framing={framing}&cut={cut}&fault={fault}");
                cases.push((target.clone(), post(&target, CALL).into_bytes()));
            }
        }
    }
    let count = cases.len() as u64;
    assert!(count > 800, "{count}");
    all(guard.address, cases);
    assert!(ask(guard.address, post("/voice", CALL)).text().contains("sound"));
    assert_sound(guard, count + 1);
}

#[test]
fn a_request_may_meet_an_end_a_stall_or_a_reset_at_every_step() {
    // How much of it the backend reads: nothing at all, its head, all of it, all but a byte.
    let large = format!("{CALL}&SpeechResult={}", "x".repeat(4 * 1024 * 1024));
    thread::scope(|scope| {
        for fault in FAULTS {
            for reads in [0, 1, 100, 100_000] {
                let large = &large;
                scope.spawn(move || meets(fault, reads, large));
            }
        }
    });
}

/// Both forms, as far as they are longer, before a backend that reads so much.
fn meets(fault: &'static str, reads: usize, large: &str) {
    let backend = Backend::start(move |connection| {
        let _ = connection.exactly(reads);
        end(connection, fault);
        // Whoever stalls does not read on.
        if fault == "stall" {
            connection.rest(2_500);
        }
    });
    let guard = Guard::with(short(backend.address));
    let forms = [CALL, large].into_iter().filter(|form| form.len() > reads);
    let cases: Vec<_> =
        forms.map(|form| (format!("{fault} {reads}"), post("/voice", form).into_bytes())).collect();
    let count = cases.len() as u64;
    all(guard.address, cases);
    assert_sound(guard, count);
}

#[test]
fn a_backend_may_refuse_the_connection_or_leave_it_waiting() {
    let guard = Guard::with(short(nobody()));
    promised(guard.address, post("/voice", CALL).as_bytes(), "refused").unwrap();
    assert_sound(guard, 1);
    // A queue of one that is full: nobody is told anything.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let waiting = Duration::from_millis(100);
    let _fill: Vec<_> = (0..3).map(|_| TcpStream::connect_timeout(&address, waiting)).collect();
    let guard = Guard::with(short(address));
    promised(guard.address, post("/voice", CALL).as_bytes(), "full").unwrap();
    assert_sound(guard, 1);
}

#[test]
fn a_client_may_half_close_drip_or_leave() {
    let backend = Backend::always(twiml("hi"));
    let guard = Guard::with(short(backend.address));
    let request = post("/voice", CALL);
    let mut half = Client::to(guard.address);
    half.say(&request);
    half.socket().shutdown(Shutdown::Write).unwrap();
    assert!(half.answer().text().contains("hi"));
    let mut drip = Client::to(guard.address);
    for piece in request.as_bytes().chunks(7) {
        drip.say(piece);
        thread::sleep(Duration::from_millis(2));
    }
    assert!(drip.answer().text().contains("hi"));
    for cut in (1..request.len()).step_by(3) {
        for resets in [false, true] {
            let mut client = Client::to(guard.address);
            client.say(&request[..cut]);
            if resets {
                socket2::SockRef::from(client.socket()).set_linger(Some(Duration::ZERO)).unwrap();
            }
        }
    }
    // One that keeps its webhook's body to itself gets the fallback all the same.
    let mut silent = Client::to(guard.address);
    silent.say(&request[..request.len() - 1]);
    let answer = silent.answer();
    assert_eq!(answer.status(), 200, "{}", answer.head);
    assert!(answer.text().contains("<Say"), "{}", answer.text());
    assert!(ask(guard.address, &request).text().contains("hi"));
    let seen = backend.requests();
    assert!(seen.iter().all(|seen| seen.ends_with(CALL)), "{seen:?}");
    assert_eq!(seen.len(), 3);
    assert_eq!(guard.metric("twiml_guard_panics_total"), 0);
    assert_eq!(guard.stop().lost_at_deadline, 0);
}
