//! Judges many answers for a program that asks: `tests/oracle/differential` starts it once.
//!
//! Standard input: for each answer its Content-Type and its body; standard output: for each the
//! verdict, the causes (one a line), Content-Type and body of the delivery. Every one of these
//! after its length as four bytes, most significant first. An answer has status 200, ended as
//! announced, and is judged for the voice slot. Ends with its input.

#[allow(dead_code, clippy::unwrap_used)] // Made for the integration tests.
#[path = "../kit/ask.rs"]
mod ask;

use std::io::{self, BufReader, BufWriter, Error, ErrorKind, Read, Write};

use http::{HeaderMap, HeaderValue};
use twiml_guard::guard::{BodyEnd, Finding, judge};
use twiml_guard::twilio::Slot;

/// A larger block is a mistake of the asker.
const MOST: usize = 16 << 20;

fn main() -> io::Result<()> {
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::new(io::stdout().lock());
    let policy = ask::policy();
    while let Some(content_type) = block(&mut input)? {
        let body = block(&mut input)?.ok_or(ErrorKind::UnexpectedEof)?;
        let mut headers = HeaderMap::new();
        headers.insert("content-length", body.len().into());
        if !content_type.is_empty() {
            let value = HeaderValue::from_bytes(&content_type).map_err(Error::other)?;
            headers.insert("content-type", value);
        }
        let exchange = ask::exchange(Slot::Voice, 200, headers, body, BodyEnd::Complete);
        let judgement = judge(&exchange, &policy);
        let causes = judgement.findings.iter().map(shown).collect::<Vec<_>>().join("\n");
        let content_type = judgement.delivery.headers.get("content-type");
        let parts: [&[u8]; 4] = [
            judgement.verdict.name().as_bytes(),
            causes.as_bytes(),
            content_type.map_or(b"", HeaderValue::as_bytes),
            &judgement.delivery.body,
        ];
        for part in parts {
            let length = u32::try_from(part.len()).map_err(Error::other)?;
            output.write_all(&length.to_be_bytes())?;
            output.write_all(part)?;
        }
        output.flush()?;
    }
    Ok(())
}

/// The cause, behind it the grade of its repair or nothing.
fn shown(finding: &Finding) -> String {
    format!("{} {}", finding.cause.slug, finding.repair.map_or("", |grade| grade.name()))
}

fn block(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > MOST {
        return Err(Error::other(format!("a block of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}
