//! One webhook request, as Twilio sends it, over a fresh connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use tokio::net::TcpStream;

use super::error::ProbeError;
use super::params::parameters;
use super::wire;
use crate::twilio::limits::WEBHOOK_TIMEOUT;
use crate::twilio::{Slot, params};

/// A webhook request before it is sent.
#[derive(Debug, Clone)]
pub struct Webhook {
    slot: Slot,
    method: Method,
    target: String,
    host: Option<String>,
    params: Vec<(String, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: StatusCode,
    /// All headers, framing included.
    pub headers: HeaderMap,
    /// The body, transfer coding undone, content coding not.
    pub body: Bytes,
    /// From before the connect to the last byte.
    pub elapsed: Duration,
}

impl Webhook {
    /// A POST to `target` (path and query) with the parameters of `slot`.
    pub fn new(slot: Slot, target: &str) -> Self {
        Self {
            slot,
            method: Method::POST,
            target: target.to_owned(),
            host: None,
            params: parameters(slot),
            headers: Vec::new(),
        }
    }

    /// The slot.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// GET puts the parameters in the query, as Twilio does.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Another Host header than the address.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Sets a parameter; one that is there already changes its value.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        match self.params.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.params.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The parameters as a form.
    pub fn form(&self) -> String {
        params::form(self.params.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Sends the request and reads the whole answer, with Twilio's patience of 15 s.
    pub async fn send(&self, to: SocketAddr) -> Result<Response, ProbeError> {
        let request = self
            .request(to)
            .map_err(|source| ProbeError::Request { target: self.target.clone(), source })?;
        tokio::time::timeout(WEBHOOK_TIMEOUT, exchange(to, request))
            .await
            .unwrap_or_else(|_| Err(ProbeError::TooLate { to: to.to_string() }))
    }

    fn request(&self, to: SocketAddr) -> Result<Request<Full<Bytes>>, http::Error> {
        let form = self.form();
        let in_query = self.method == Method::GET;
        let target = if in_query && !form.is_empty() {
            let joint = if self.target.contains('?') { '&' } else { '?' };
            format!("{}{joint}{form}", self.target)
        } else {
            self.target.clone()
        };
        let host = self.host.clone().unwrap_or_else(|| to.to_string());
        let mut builder = Request::builder()
            .method(self.method.clone())
            .uri(target)
            .header(HOST, host)
            .header("i-twilio-idempotency-token", uuid::Uuid::now_v7().to_string())
            .header(ACCEPT, "*/*")
            .header("x-home-region", "us1")
            .header(USER_AGENT, "TwilioProxy/1.1");
        if !in_query {
            builder =
                builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8");
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(Full::new(if in_query { Bytes::new() } else { Bytes::from(form) }))
    }
}

async fn exchange(to: SocketAddr, request: Request<Full<Bytes>>) -> Result<Response, ProbeError> {
    let start = Instant::now();
    let stream =
        TcpStream::connect(to).await.map_err(|source| ProbeError::Connect { to, source })?;
    let got = wire::exchange(stream, request, start)
        .await
        .map_err(|found| ProbeError::Http { to, found })?;
    Ok(Response { status: got.status, headers: got.headers, body: got.body, elapsed: got.total })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers once and gives back what was asked.
    async fn asked(webhook: Webhook) -> (String, Response) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = stream.read(&mut buffer).await.unwrap();
                asked.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&asked);
                if text.starts_with("GET") || text.ends_with("NumMedia=0") {
                    break;
                }
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 11\r\n\r\n<Response/>";
            stream.write_all(answer).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let response = webhook.send(to).await.unwrap();
        (server.await.unwrap(), response)
    }

    #[tokio::test]
    async fn a_post_looks_like_twilios() {
        let (asked, response) =
            asked(Webhook::new(Slot::Messaging, "/sms?x=1").host("pbx.example.com")).await;
        assert!(asked.starts_with("POST /sms?x=1 HTTP/1.1\r\n"), "{asked}");
        for line in [
            "Host: pbx.example.com",
            "User-Agent: TwilioProxy/1.1",
            "Accept: */*",
            "Content-Type: application/x-www-form-urlencoded; charset=UTF-8",
        ] {
            assert!(asked.contains(&format!("\r\n{line}\r\n")), "{line} in {asked}");
        }
        assert!(asked.contains("I-Twilio-Idempotency-Token: "), "{asked}");
        assert!(!asked.to_lowercase().contains("accept-encoding"), "{asked}");
        assert!(asked.contains("Body=Hello+%26+goodbye&"), "{asked}");
        assert_eq!(response.body, "<Response/>");
    }

    #[tokio::test]
    async fn a_get_has_its_parameters_in_the_query() {
        let (asked, _) = asked(Webhook::new(Slot::Voice, "/voice?x=1").method(Method::GET)).await;
        assert!(asked.starts_with("GET /voice?x=1&CallSid=CA"), "{asked}");
        assert!(!asked.contains("Content-Type"), "{asked}");
    }

    #[tokio::test]
    async fn nobody_listening_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        drop(listener);
        let error = Webhook::new(Slot::Voice, "/").send(to).await.unwrap_err();
        assert!(matches!(error, ProbeError::Connect { .. }), "{error}");
    }
}
