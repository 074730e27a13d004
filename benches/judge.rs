//! What judging a fit document costs, on the fast path and in full, and what it hands out.
//!
//!     cargo bench --bench judge                  # all
//!     cargo bench --bench judge -- 'fast/'       # the fast path alone
//!
//! Documents of 350 B, 4 KB and 60 KB: `text` is mostly words in `<Say>`, `markup` mostly short
//! verbs with attributes. Throughput is in bytes; ns/byte for all stand in a table at the end.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[allow(dead_code)] // Made for the integration tests.
#[path = "../tests/kit/ask.rs"]
mod ask;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use twiml_guard::guard::{
    BodyEnd, Exchange, Judgement, Policy, fit, handed_out, handed_out_by, judge, judge_in_full,
};
use twiml_guard::twilio::Slot;

const SIZES: [(&str, usize); 3] = [("350 B", 350), ("4 KB", 4_000), ("60 KB", 60_000)];
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>";
const END: &str = "</Response>";
const WORDS: &str = "Thank you for calling. Our office is open from nine to five, Sunday to Thursday, and the \
next free appointment is on Tuesday at half past ten. To confirm it press one; to hear other times \
press two. We could not reach you last week, so please stay with us for a moment. ";

/// A document of about so many bytes: words.
fn text(size: usize) -> String {
    let mut xml = HEAD.to_owned();
    while xml.len() + END.len() + 60 < size {
        let room = (size - xml.len() - END.len() - 40).min(2_000);
        let words: String = WORDS.chars().cycle().take(room).collect();
        let _ = write!(xml, "<Say voice=\"alice\">{words}</Say>");
    }
    xml + END
}

/// The same: verbs with attributes.
fn markup(size: usize) -> String {
    let verbs = [
        "<Say voice=\"Polly.Joanna\" language=\"en-US\">One moment</Say>",
        "<Pause length=\"1\"/>",
        "<Play loop=\"2\">https://cdn.example.net/a/b.mp3</Play>",
        "<Gather numDigits=\"1\" action=\"/menu?step=2&amp;lang=en\" method=\"POST\" timeout=\"5\"><Say>Press one</Say></Gather>",
        "<Dial callerId=\"+15550100002\" timeout=\"20\"><Number url=\"/whisper\">+15550100003</Number></Dial>",
    ];
    let mut xml = HEAD.to_owned();
    for verb in verbs.iter().cycle() {
        if xml.len() + verb.len() + END.len() > size {
            break;
        }
        xml.push_str(verb);
    }
    xml + END
}

fn asked(xml: &str) -> Exchange {
    let mut headers = ask::typed("text/xml; charset=utf-8", xml.as_bytes());
    for (name, value) in [
        ("server", "gunicorn"),
        ("date", "Mon, 02 Nov 2026 10:00:00 GMT"),
        ("connection", "keep-alive"),
        ("set-cookie", "session=0123456789abcdef; Path=/; HttpOnly"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    ask::exchange(Slot::Voice, 200, headers, xml.as_bytes().to_vec(), BodyEnd::Complete)
}

/// What is measured: a name, and the work.
type Work = (&'static str, fn(&Exchange, &Policy));

fn learn(exchange: &Exchange, policy: &Policy, judgement: &Judgement) {
    black_box(handed_out_by(&exchange.request, exchange.slot, judgement, policy, "POST /voice"));
}

const WORKS: [Work; 5] = [
    ("fit", |exchange, policy| {
        black_box(fit(exchange, policy).expect("fit"));
    }),
    ("fast/judge", |exchange, policy| {
        black_box(judge(exchange, policy));
    }),
    ("fast/judge+handed", |exchange, policy| {
        let judgement = judge(exchange, policy);
        learn(exchange, policy, &judgement);
        black_box(judgement);
    }),
    ("full/judge", |exchange, policy| {
        black_box(judge_in_full(exchange, policy));
    }),
    ("full/judge+handed", |exchange, policy| {
        let judgement = judge_in_full(exchange, policy);
        let delivery = &judgement.delivery;
        black_box(handed_out(&exchange.request, exchange.slot, delivery, policy, "POST /voice"));
        black_box(judgement);
    }),
];

/// The least of many rounds: what else runs on the machine only adds.
fn least(work: fn(&Exchange, &Policy), exchange: &Exchange, policy: &Policy) -> Duration {
    let times = 1 + 200_000 / exchange_len(exchange);
    let round = || {
        let start = Instant::now();
        for _ in 0..times {
            work(black_box(exchange), black_box(policy));
        }
        start.elapsed() / u32::try_from(times).unwrap()
    };
    (0..40).map(|_| round()).min().unwrap()
}

fn exchange_len(exchange: &Exchange) -> usize {
    match &exchange.outcome {
        twiml_guard::guard::Outcome::Answered(answer) => answer.body.len(),
        twiml_guard::guard::Outcome::Failed(_) => 0,
    }
}

/// Makes a document of about so many bytes.
type Make = fn(usize) -> String;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let policy = ask::policy();
    let kinds: [(&str, Make); 2] = [("text", text), ("markup", markup)];
    let mut table = String::new();
    for (kind, make) in kinds {
        for (name, size) in SIZES {
            let exchange = asked(&make(size));
            let mut group = criterion.benchmark_group(format!("{kind} {name}"));
            group.throughput(Throughput::Bytes(exchange_len(&exchange) as u64));
            for (work, run) in WORKS {
                group.bench_function(BenchmarkId::from_parameter(work), |bencher| {
                    bencher.iter(|| run(black_box(&exchange), black_box(&policy)));
                });
                let took = least(run, &exchange, &policy).as_nanos();
                #[allow(clippy::cast_precision_loss)] // Some thousands of nanoseconds.
                let each = took as f64 / exchange_len(&exchange) as f64;
                let _ = writeln!(
                    table,
                    "{kind:<7} {name:>6} {work:<18} {took:>9} ns {each:>8.3} ns/byte"
                );
            }
            group.finish();
        }
    }
    criterion.final_summary();
    println!("\n{table}");
}
