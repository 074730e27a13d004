//! The load, and the backend behind the proxies under test.
//!
//! ```text
//! twiml-guard-load backend [--listen ADDRESS]      says its port
//! twiml-guard-load closed --target ADDRESS --paths …   as fast as it is answered
//! twiml-guard-load rate   --target ADDRESS --paths … --rate N   requests a second, however slow the answers
//! twiml-guard-load idle   --target ADDRESS --paths …   one request per connection, then silence until standard input ends
//! twiml-guard-load streams --target ADDRESS --paths PATH   Media Streams, 50 frames a second each, echoed by the backend
//! ```
//!
//! `--paths` is a list of `PATH=EXPECT` or `PATH=EXPECT*WEIGHT`, where EXPECT says what must come back: `same` (what the backend
//! sends), `unmarked` (the same without its byte order mark) or `fallback` (status 200 and TwiML that the backend did not
//! write; always the same). Each answer is checked, byte for byte; a wrong one ends the program with exit code 1.
//! Results are one JSON object on standard output.

mod answer;
mod answers;
mod backend;
mod cpu;
mod head;
mod histogram;
mod load;
mod plan;
mod requests;
mod streams;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use answer::{Expected, Reader};
use plan::{Kind, Outcome, Plan};
use requests::Requests;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let role = words.next().unwrap_or_default();
    let done = options(words).and_then(|options| match role.as_str() {
        "backend" => {
            let address = options.get("listen").map_or("127.0.0.1:0", String::as_str);
            backend::run(address).map_err(|error| error.to_string())
        }
        "closed" | "rate" => measure(&options),
        "idle" => idle(&options),
        "streams" => stream(&options),
        other => Err(format!("no role {other:?}; there are backend, closed, rate, idle, streams")),
    });
    if let Err(why) = done {
        eprintln!("twiml-guard-load {role}: {why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

type Options = HashMap<String, String>;

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut found = HashMap::new();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").ok_or(format!("{word:?} is no option"))?;
        found.insert(name.to_owned(), words.next().ok_or(format!("--{name} has no value"))?);
    }
    Ok(found)
}

fn number<T: std::str::FromStr>(options: &Options, name: &str, default: T) -> Result<T, String> {
    options
        .get(name)
        .map_or(Ok(default), |text| text.parse().map_err(|_| format!("--{name} {text}: no number")))
}

fn pids(options: &Options, name: &str) -> Result<Vec<i32>, String> {
    let text = options.get(name).map_or("", String::as_str);
    let parse = |word: &str| word.parse().map_err(|_| format!("--{name} {text}: not numbers"));
    text.split(',').filter(|word| !word.is_empty()).map(parse).collect()
}

fn plan(options: &Options) -> Result<Plan, String> {
    let target = options
        .get("target")
        .and_then(|text| text.parse().ok())
        .ok_or("--target ADDRESS is missing")?;
    let closing = options.get("closing").is_some_and(|word| word == "yes");
    let kinds = options
        .get("paths")
        .ok_or("--paths is missing")?
        .split(',')
        .map(|text| kind(target, text, closing));
    Ok(Plan {
        target,
        closing,
        kinds: kinds.collect::<Result<_, _>>()?,
        connections: number(options, "connections", 16)?,
        rate: options
            .get("rate")
            .map(|text| text.parse().map_err(|_| format!("--rate {text}: no number")))
            .transpose()?,
        warm: Duration::from_secs_f64(number(options, "warm", 0.5)?),
        time: Duration::from_secs_f64(number(options, "seconds", 2.0)?),
        count: options
            .get("count")
            .map(|text| text.parse().map_err(|_| format!("--count {text}: no number")))
            .transpose()?,
        waits: options.get("waits").is_some_and(|word| word == "yes"),
        pids: pids(options, "pids")?,
        helpers: pids(options, "helpers")?,
    })
}

/// Asks once, holds the answer to the word that says what is expected, and takes it as the measure of all others.
fn kind(target: SocketAddr, text: &str, closing: bool) -> Result<Kind, String> {
    let (text, weight) = text.split_once('*').unwrap_or((text, "1"));
    let (path, word) = text.split_once('=').ok_or(format!("--paths {text}: PATH=EXPECT"))?;
    let answers = answers::all();
    let sent = answers::find(&answers, path).ok_or(format!("the backend has no {path}"))?;
    let mut requests = Requests::to(target, path, closing)?;
    let came = ask(target, requests.next()).map_err(|why| format!("{path} at {target}: {why}"))?;
    let fits = match word {
        "same" => came.status == sent.status && came.body == sent.body,
        "unmarked" => {
            came.status == 200
                && Some(came.body.as_slice()) == sent.body.strip_prefix("\u{feff}".as_bytes())
        }
        "fallback" => {
            came.status == 200
                && came.body != sent.body
                && memchr::memmem::find(&came.body, b"<Say").is_some()
        }
        other => return Err(format!("{other:?}: same, unmarked or fallback")),
    };
    if !fits {
        let shown = String::from_utf8_lossy(&came.body[..came.body.len().min(200)]).into_owned();
        return Err(format!(
            "{path} at {target} is not answered as expected ({word}): {} {shown:?}",
            came.status
        ));
    }
    let weight = weight.parse().map_err(|_| format!("{weight:?}: no weight"))?;
    Ok(Kind { weight, requests, expected: came })
}

fn ask(target: SocketAddr, request: &[u8]) -> Result<Expected, String> {
    let mut stream = TcpStream::connect(target).map_err(|error| error.to_string())?;
    receive(&mut stream, request)
}

fn receive(stream: &mut TcpStream, request: &[u8]) -> Result<Expected, String> {
    let said = |error: io::Error| error.to_string();
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(said)?;
    stream.write_all(request).map_err(said)?;
    let mut reader = Reader::default();
    let mut scratch = vec![0; 64 * 1024];
    loop {
        let count = stream.read(&mut scratch).map_err(said)?;
        if count == 0 {
            return Err("closed within an answer".to_owned());
        }
        if reader.feed(&scratch[..count], None)? {
            return Ok(Expected { status: reader.status, body: reader.collected });
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    let mut plan = plan(options)?;
    if plan.rate == Some(0.0) {
        return Err("--rate 0".to_owned());
    }
    let holds = plan.waits;
    let outcome = load::run(&mut plan)?;
    print(&outcome);
    if holds {
        wait_for_the_end();
    }
    Ok(())
}

fn print(outcome: &Outcome) {
    let latencies = &outcome.latencies;
    let per = |time: Duration| time.as_secs_f64() * 1e6 / outcome.answers.max(1) as f64;
    println!(
        "{{\"answers\": {}, \"sent\": {}, \"seconds\": {:.6}, \"per_second\": {:.1}, \"cpu_us\": {:.3}, \"cpu_us_of_threads\": {:.3}, \"busy\": {:.3}, \"others_busy\": {:.3}, \"helpers_busy\": {:.3}, \"p50_us\": {:.1}, \"p90_us\": {:.1}, \"p99_us\": {:.1}, \"p999_us\": {:.1}, \"most_us\": {:.1}, \"queued\": {}}}",
        outcome.answers,
        outcome.sent,
        outcome.seconds,
        outcome.answers as f64 / outcome.seconds,
        per(outcome.run),
        per(outcome.threads),
        outcome.run.as_secs_f64() / outcome.seconds,
        outcome.others_busy,
        outcome.helpers_busy,
        latencies.quantile(0.5),
        latencies.quantile(0.9),
        latencies.quantile(0.99),
        latencies.quantile(0.999),
        latencies.most(),
        outcome.queued,
    );
    let _ = io::stdout().flush();
}

fn stream(options: &Options) -> Result<(), String> {
    let plan = streams::Plan {
        target: options
            .get("target")
            .and_then(|text| text.parse().ok())
            .ok_or("--target ADDRESS is missing")?,
        path: options.get("paths").ok_or("--paths is missing")?.clone(),
        streams: number(options, "connections", 16)?,
        warm: Duration::from_secs_f64(number(options, "warm", 0.5)?),
        time: Duration::from_secs_f64(number(options, "seconds", 2.0)?),
        pids: pids(options, "pids")?,
        helpers: pids(options, "helpers")?,
    };
    print(&streams::run(&plan)?);
    Ok(())
}

/// Opens connections one by one, each with one request, and keeps them.
fn idle(options: &Options) -> Result<(), String> {
    let mut plan = plan(options)?;
    let mut kept = Vec::with_capacity(plan.connections);
    let kind = plan.kinds.first_mut().ok_or("no path")?;
    for number in 0..plan.connections {
        let mut stream = TcpStream::connect(plan.target)
            .map_err(|error| format!("connection {number}: {error}"))?;
        let came = receive(&mut stream, kind.requests.next())
            .map_err(|why| format!("connection {number}: {why}"))?;
        if came.status != kind.expected.status || came.body != kind.expected.body {
            return Err(format!("connection {number}: another answer ({})", came.status));
        }
        kept.push(stream);
    }
    println!("{{\"open\": {}}}", kept.len());
    let _ = io::stdout().flush();
    wait_for_the_end();
    Ok(())
}

fn wait_for_the_end() {
    let _ = io::stdin().read_to_end(&mut Vec::new());
}
