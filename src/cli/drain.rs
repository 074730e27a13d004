//! `drain`: takes the running guard out of the load, and back in.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::args::DrainArgs;
use super::exit::Exit;
use super::mode::{self, Failure};
use super::output::{complain, out};

/// How often the guard is asked what is in flight.
const AGAIN: Duration = Duration::from_millis(200);

/// Runs the command.
pub(super) fn run(args: &DrainArgs) -> Exit {
    match drain(args) {
        Ok((said, exit)) => match out(&said) {
            Ok(_) => exit,
            Err(_) => Exit::Io,
        },
        Err(failure) => {
            complain(&format!("twiml-guard: {failure}\n"));
            failure.exit()
        }
    }
}

fn drain(args: &DrainArgs) -> Result<(String, Exit), Failure> {
    let change = json!({ "draining": !args.undo }).to_string();
    let mut state = mode::ask(&args.reach, "PUT", "/api/drain", Some(&change))?;
    if args.undo {
        return Ok(("serving again\n".to_owned(), Exit::Fine));
    }
    let Some(wait) = args.wait else {
        return Ok((format!("draining, {} in flight\n", in_flight(&state)), Exit::Fine));
    };
    let start = Instant::now();
    while in_flight(&state) > 0 && start.elapsed() < wait {
        sleep(AGAIN);
        state = mode::ask(&args.reach, "GET", "/api/drain", None)?;
    }
    match in_flight(&state) {
        0 => Ok(("drained, nothing in flight\n".to_owned(), Exit::Fine)),
        left => Ok((format!("draining, {left} still in flight\n"), Exit::Found)),
    }
}

fn in_flight(state: &Value) -> u64 {
    state["in_flight"].as_u64().unwrap_or_default()
}
