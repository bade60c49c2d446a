use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Generous: what is tested ends by itself long before.
const AMPLE: Duration = Duration::from_secs(20);

/// A server of 127.0.0.1 that reads the beginning of one request, writes `answer`, and keeps the connection.
async fn answering(answer: &'static [u8]) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = vec![0; 4096];
        let length = stream.read(&mut seen).await.unwrap();
        seen.truncate(length);
        stream.write_all(answer).await.unwrap();
        // Until the other side has gone.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        seen
    });
    (address, task)
}

async fn ask(base: &str, deadline: Duration) -> Result<Answer, NoAnswer> {
    let http = Http::new("the test's base", base).unwrap();
    http.ask(http.request(Method::GET, "/x"), deadline).await
}

#[test]
fn only_private_and_bare_bases_are_asked() {
    for good in ["https://api.example.org", "https://api.example.org/", "http://127.0.0.1:8080"] {
        assert!(Http::new("it", good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "api.example.org",
        "http://api.example.org",
        "http://localhost:1",
        "http://127.0.0.1.example.org",
        "ftp://127.0.0.1",
        "https://api.example.org/v2",
        "https://api.example.org/?a=b",
        "https://api.example.org/#a",
        "https://user@api.example.org",
        "https://user:word@api.example.org",
        "http://:word@127.0.0.1",
    ] {
        let told = Http::new("it", bad).unwrap_err().to_string();
        assert!(told.starts_with("it must be an https URL"), "{bad}: {told}");
    }
}

#[tokio::test]
async fn a_request_says_who_asks() {
    let (address, server) = answering(b"HTTP/1.1 204 No\r\nretry-after: 12\r\n\r\n").await;
    let answer = ask(&format!("http://{address}"), AMPLE).await.unwrap();
    assert_eq!((answer.status, answer.retry_after), (204, Some(Duration::from_secs(12))));
    let seen = String::from_utf8(server.await.unwrap()).unwrap();
    assert!(seen.starts_with("GET /x HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("\r\nuser-agent: otpost/{}\r\n", env!("CARGO_PKG_VERSION"))), "{seen}");
}

/// Nothing of a request leaves before TLS is there, so it is known that nothing was sent.
#[tokio::test]
async fn a_handshake_that_does_not_end_is_no_request() {
    let (address, server) = answering(b"").await;
    let asked = tokio::time::timeout(AMPLE, ask(&format!("https://{address}"), AMPLE)).await.unwrap();
    assert_eq!(asked.unwrap_err(), NoAnswer::NotSent("no connection"));
    assert_eq!(server.await.unwrap()[0], 22, "only a handshake came (RFC 8446 section 5.1)");
}

#[tokio::test]
async fn a_handshake_that_fails_is_no_request() {
    let (address, _server) = answering(b"220 mail.example.org ESMTP\r\n").await;
    let asked = ask(&format!("https://{address}"), AMPLE).await;
    assert_eq!(asked.unwrap_err(), NoAnswer::NotSent("no connection"));
}

/// The status decides what became of a request: it is not thrown away because the body does not come.
#[tokio::test]
async fn a_head_counts_without_its_body() {
    let head = b"HTTP/1.1 429 Slow\r\ncontent-length: 100\r\nretry-after: 3\r\n\r\n{\"code\":";
    let (address, _server) = answering(head).await;
    let answer = ask(&format!("http://{address}"), Duration::from_millis(400)).await.unwrap();
    assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(3))));
    assert_eq!(answer.body.as_slice(), b"{\"code\":");
}

#[tokio::test]
async fn half_a_head_is_no_answer() {
    let (address, _server) = answering(b"HTTP/1.1 200 OK\r\ncontent-").await;
    let asked = ask(&format!("http://{address}"), Duration::from_millis(400)).await;
    assert_eq!(asked.unwrap_err(), NoAnswer::Lost("no answer in time"));
}

#[tokio::test]
async fn a_body_is_read_to_its_limit() {
    static LONG: [u8; 300_000] = {
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let mut all = [b'x'; 300_000];
        let mut index = 0;
        while index < head.len() {
            all[index] = head[index];
            index += 1;
        }
        all
    };
    let (address, server) = answering(&LONG).await;
    let answer = ask(&format!("http://{address}"), AMPLE).await.unwrap();
    assert_eq!(answer.body.len(), MOST);
    assert_eq!(answer.body.capacity(), MOST, "it did not grow");
    assert_eq!(format!("{answer:?}"), "Answer(200, 65536 bytes)");
    server.abort();
}
