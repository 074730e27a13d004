//! Load on one target: as fast as it answers, at a constant rate, or a count of requests. Every answer is checked.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};

use crate::answer::Reader;
use crate::cpu::Snapshot;
use crate::histogram::Histogram;
use crate::plan::{Outcome, Plan};

const TIMER: Token = Token(usize::MAX);
/// Nothing answered for so long: the target hangs.
pub const HANGS: Duration = Duration::from_secs(10);

struct Connection {
    stream: Option<TcpStream>,
    reader: Reader,
    kind: usize,
    since: Instant,
    /// An answer is awaited.
    waits: bool,
}

struct Run<'a> {
    plan: &'a mut Plan,
    poll: Poll,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    queue: VecDeque<Instant>,
    latencies: Histogram,
    answers: u64,
    queued: u64,
    turn: u64,
    weights: u64,
}

/// Does it.
pub fn run(plan: &mut Plan) -> Result<Outcome, String> {
    let weights = plan.kinds.iter().map(|kind| kind.weight).sum();
    let mut run = Run {
        poll: Poll::new().map_err(said("poll"))?,
        connections: Vec::new(),
        idle: VecDeque::new(),
        queue: VecDeque::new(),
        latencies: Histogram::default(),
        answers: 0,
        queued: 0,
        turn: 0,
        weights,
        plan,
    };
    for at in 0..run.plan.connections {
        let reader = Reader::default();
        run.connections.push(Connection {
            stream: None,
            reader,
            kind: 0,
            since: Instant::now(),
            waits: false,
        });
        if !run.plan.closing {
            run.connect(at)?;
        }
        run.idle.push_back(at);
    }
    run.drive()
}

impl Run<'_> {
    fn drive(&mut self) -> Result<Outcome, String> {
        let (warm, time, count) = (self.plan.warm, self.plan.time, self.plan.count);
        let timer = self
            .plan
            .rate
            .map(|rate| timer(Duration::from_secs_f64(1.0 / rate)))
            .transpose()
            .map_err(said("timer"))?;
        if let Some(timer) = &timer {
            let fd = timer.as_fd().as_raw_fd();
            self.poll
                .registry()
                .register(&mut SourceFd(&fd), TIMER, Interest::READABLE)
                .map_err(said("timer"))?;
        }
        let mut scratch = vec![0; 256 * 1024];
        let mut events = Events::with_capacity(1024);
        let mut start = Instant::now();
        let mut sent = 0_u64;
        let mut begun: Option<(Snapshot, Snapshot)> = None;
        let mut last_answer = (start, 0);
        if self.plan.rate.is_none() {
            self.send_all(start)?;
        }
        loop {
            let now = Instant::now();
            if begun.is_none() && now >= start + warm {
                if self.plan.waits {
                    self.settle(&mut events, &mut scratch)?;
                    wait_for_a_line();
                    start = Instant::now();
                    sent = 0;
                    last_answer = (start, self.answers);
                }
                self.latencies.clear();
                (self.answers, self.queued) = (0, 0);
                begun =
                    Some((Snapshot::take(&self.plan.pids)?, Snapshot::take(&self.plan.helpers)?));
                if self.plan.waits && self.plan.rate.is_none() {
                    self.send_all(start)?;
                }
                continue;
            }
            if let Some((proxy, helpers)) = &begun {
                let over = count.map_or(now >= proxy.at + time, |count| self.answers >= count);
                if over {
                    return self.outcome(proxy, helpers);
                }
            }
            if let Some(rate) = self.plan.rate {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let due = ((now - start).as_secs_f64() * rate) as u64;
                while sent < due {
                    sent += 1;
                    self.queue.push_back(start + Duration::from_secs_f64(sent as f64 / rate));
                }
                self.serve_queue(now)?;
            }
            self.poll_once(&mut events)?;
            for event in &events {
                if event.token() == TIMER {
                    if let Some(timer) = &timer {
                        // Winds it up again; how often it rang is told by the clock.
                        timer.wait().map_err(|error| format!("timer: {error}"))?;
                    }
                    continue;
                }
                if self.receive(event.token().0, &mut scratch)? && self.plan.rate.is_none() {
                    self.send_all(Instant::now())?;
                }
            }
            if self.answers != last_answer.1 {
                last_answer = (now, self.answers);
            } else if now > last_answer.0 + HANGS {
                return Err(format!("no answer for {} s", HANGS.as_secs()));
            }
        }
    }

    fn outcome(&mut self, proxy: &Snapshot, helpers: &Snapshot) -> Result<Outcome, String> {
        Outcome::between(proxy, helpers, &self.plan.pids, &self.plan.helpers).map(|outcome| {
            Outcome {
                answers: self.answers,
                sent: self.turn,
                latencies: std::mem::take(&mut self.latencies),
                queued: self.queued,
                ..outcome
            }
        })
    }

    fn poll_once(&mut self, events: &mut Events) -> Result<(), String> {
        match self.poll.poll(events, Some(Duration::from_millis(100))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(format!("poll: {error}"))
            }
            _ => Ok(()),
        }
    }

    /// Lets what is on its way come to its end.
    fn settle(&mut self, events: &mut Events, scratch: &mut [u8]) -> Result<(), String> {
        let give_up = Instant::now() + HANGS;
        self.queue.clear();
        while self.idle.len() < self.connections.len() {
            if Instant::now() > give_up {
                return Err("requests stay without an answer".to_owned());
            }
            self.poll_once(events)?;
            for event in &*events {
                if event.token() != TIMER {
                    self.receive(event.token().0, scratch)?;
                }
            }
        }
        Ok(())
    }

    fn send_all(&mut self, now: Instant) -> Result<(), String> {
        while let Some(at) = self.idle.pop_front() {
            self.send(at, now)?;
        }
        Ok(())
    }

    fn serve_queue(&mut self, now: Instant) -> Result<(), String> {
        while let Some(intended) = self.queue.front().copied() {
            let Some(at) = self.idle.pop_front() else {
                return Ok(());
            };
            if now - intended > Duration::from_millis(1) {
                self.queued += 1;
            }
            self.queue.pop_front();
            self.send(at, intended)?;
        }
        Ok(())
    }

    fn connect(&mut self, at: usize) -> Result<(), String> {
        // On loopback a connection is made at once, or the listener is full.
        let stream = std::net::TcpStream::connect(self.plan.target).map_err(said("connect"))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_nonblocking(true))
            .map_err(said("connect"))?;
        let mut stream = TcpStream::from_std(stream);
        self.poll
            .registry()
            .register(&mut stream, Token(at), Interest::READABLE)
            .map_err(said("register"))?;
        self.connections[at].stream = Some(stream);
        Ok(())
    }

    fn send(&mut self, at: usize, since: Instant) -> Result<(), String> {
        if self.connections[at].stream.is_none() {
            self.connect(at)?;
        }
        let kind = self.choose();
        let connection = &mut self.connections[at];
        let bytes = self.plan.kinds[kind].requests.next();
        let stream = connection.stream.as_mut().ok_or("no connection")?;
        let count = stream.write(bytes).map_err(said("send"))?;
        if count != bytes.len() {
            return Err("a request did not fit into the socket".to_owned());
        }
        connection.reader.reset();
        (connection.kind, connection.since, connection.waits) = (kind, since, true);
        Ok(())
    }

    /// The kinds in turn, each as often as it weighs, spread evenly.
    fn choose(&mut self) -> usize {
        self.turn += 1;
        if self.plan.kinds.len() == 1 {
            return 0;
        }
        // A step that has no divisor in common with most sums spreads them.
        let mut place = (self.turn * 61) % self.weights;
        for (at, kind) in self.plan.kinds.iter().enumerate() {
            if place < kind.weight {
                return at;
            }
            place -= kind.weight;
        }
        0
    }

    /// Reads what came; true when the connection is free for the next request.
    fn receive(&mut self, at: usize, scratch: &mut [u8]) -> Result<bool, String> {
        let connection = &mut self.connections[at];
        let Some(stream) = connection.stream.as_mut() else { return Ok(false) };
        loop {
            match stream.read(scratch) {
                Ok(0) => {
                    if connection.waits {
                        return Err(if connection.reader.has_begun() {
                            "closed within an answer"
                        } else {
                            "closed without an answer"
                        }
                        .to_owned());
                    }
                    connection.stream = None;
                    if self.plan.closing {
                        self.idle.push_back(at);
                        return Ok(true);
                    }
                    // Servers may close what is kept, between two answers.
                    self.connect(at)?;
                    return Ok(false);
                }
                Ok(count) => {
                    if !connection.waits {
                        return Err("bytes that nobody asked for".to_owned());
                    }
                    if connection
                        .reader
                        .feed(&scratch[..count], Some(&self.plan.kinds[connection.kind].expected))?
                    {
                        connection.waits = false;
                        let took = Instant::now().saturating_duration_since(connection.since);
                        self.latencies.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
                        self.answers += 1;
                        if self.plan.closing {
                            continue; // until the server has closed
                        }
                        if connection.reader.closes {
                            connection.stream = None;
                        }
                        self.idle.push_back(at);
                        return Ok(true);
                    }
                    if count < scratch.len() {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(format!("receive: {error}")),
            }
        }
    }
}

fn said(what: &'static str) -> impl Fn(io::Error) -> String {
    move |error| format!("{what}: {error}")
}

/// A timer that rings once per interval.
pub fn timer(interval: Duration) -> io::Result<TimerFd> {
    let timer =
        TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    timer
        .set(Expiration::Interval(TimeSpec::from_duration(interval)), TimerSetTimeFlags::empty())?;
    Ok(timer)
}

/// Says `ready` and waits until it is told to go on.
pub fn wait_for_a_line() {
    println!("ready");
    let _ = io::stdout().flush();
    let _ = io::stdin().lock().read_line(&mut String::new());
}
