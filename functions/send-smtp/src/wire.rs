//! Lines to a server and answers from it, under limits of ours.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use crate::dialogue::{Dialogue, Stage};
use crate::reply::{self, Reply};

/// Bytes of a line: RFC 5321 section 4.5.3.1.5 has 512, and some servers explain themselves at length.
const MOST_IN_LINE: usize = 4 * 1024;
/// Lines of an answer.
const MOST_LINES: usize = 128;
/// Bytes that are read at a time.
const CHUNK: usize = 1024;

/// Why an answer did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The connection broke off.
    Off,
    /// It came, and is nothing that SMTP knows.
    Nonsense,
    /// It does not end.
    Endless,
    /// Nobody answered in time.
    Late,
}

/// A connection.
pub(crate) struct Wire<S> {
    stream: S,
    /// What was read and is not used up.
    ahead: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// The stream, to go on with TLS. Whatever came before that was said by anybody, so it must be nothing (RFC 3207
    /// section 6).
    pub(crate) fn into_stream(self) -> Result<S, Broken> {
        if self.ahead.is_empty() { Ok(self.stream) } else { Err(Broken::Nonsense) }
    }

    /// Says `line` and hears the answer. Where it is secret, `shown` stands for it.
    pub(crate) async fn ask(
        &mut self,
        talk: &mut Dialogue,
        stage: Stage,
        line: &str,
        shown: Option<&str>,
    ) -> Result<Reply, Broken> {
        talk.stage = stage;
        talk.client(shown.unwrap_or(line));
        let mut bytes = Zeroizing::new(Vec::with_capacity(line.len() + 2));
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
        self.write(&bytes).await?;
        self.hear(talk).await
    }

    /// Sends the mail, which ends with a line break and is dotted already, and hears what becomes of it.
    pub(crate) async fn send(&mut self, talk: &mut Dialogue, dotted: &[u8]) -> Result<Reply, Broken> {
        talk.stage = Stage::Content;
        talk.client(&format!("[{} bytes]", dotted.len()));
        self.write(dotted).await?;
        talk.stage = Stage::End;
        talk.client(".");
        self.write(b".\r\n").await?;
        self.hear(talk).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await.map_err(|_| Broken::Off)?;
        self.stream.flush().await.map_err(|_| Broken::Off)
    }

    /// Hears an answer.
    pub(crate) async fn hear(&mut self, talk: &mut Dialogue) -> Result<Reply, Broken> {
        let mut answer: Option<Reply> = None;
        for _ in 0..MOST_LINES {
            let bytes = self.line().await?;
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\r', '\n']);
            talk.server(text);
            let (code, last, told) = reply::line(text).ok_or(Broken::Nonsense)?;
            let answer = answer.get_or_insert_with(|| Reply { code, lines: Vec::new() });
            if answer.code != code {
                return Err(Broken::Nonsense);
            }
            answer.lines.push(told.to_owned());
            if last {
                return Ok(Reply { code, lines: std::mem::take(&mut answer.lines) });
            }
        }
        Err(Broken::Endless)
    }

    async fn line(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            if let Some(end) = self.ahead.iter().take(MOST_IN_LINE).position(|byte| *byte == b'\n') {
                let rest = self.ahead.split_off(end + 1);
                return Ok(std::mem::replace(&mut self.ahead, rest));
            }
            if self.ahead.len() >= MOST_IN_LINE {
                return Err(Broken::Endless);
            }
            let mut chunk = [0; CHUNK];
            let read = self.stream.read(&mut chunk).await.map_err(|_| Broken::Off)?;
            if read == 0 {
                return Err(Broken::Off);
            }
            self.ahead.extend(chunk.iter().take(read));
        }
    }

    /// Takes leave, as RFC 5321 section 4.1.1.10 wants it.
    pub(crate) async fn quit(mut self) {
        // Nothing depends on it.
        if self.write(b"QUIT\r\n").await.is_ok() {
            let _ = self.line().await;
        }
        let _ = self.stream.shutdown().await;
    }
}

/// A mail as it goes over the wire: each line ends with CR LF, also where it had only one of them, and no line but the
/// last one, which is not in it, is a dot (RFC 5321 sections 2.3.8 and 4.5.2). With it comes its size before dots were
/// added, as SIZE counts (RFC 1870 section 5).
pub(crate) fn dotted(mail: &[u8]) -> (Zeroizing<Vec<u8>>, usize) {
    let mut bytes = Zeroizing::new(Vec::with_capacity(mail.len() + mail.len() / 16 + 2));
    let (mut fresh, mut after_return, mut added) = (true, false, 0);
    for byte in mail {
        match (byte, after_return) {
            (b'\n', true) => {}
            (b'\n' | b'\r', _) => {
                bytes.extend_from_slice(b"\r\n");
                fresh = true;
            }
            _ => {
                if fresh && *byte == b'.' {
                    bytes.push(b'.');
                    added += 1;
                }
                bytes.push(*byte);
                fresh = false;
            }
        }
        after_return = *byte == b'\r';
    }
    if !fresh {
        bytes.extend_from_slice(b"\r\n");
    }
    let size = bytes.len() - added;
    (bytes, size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_end_with_both_and_dots_are_doubled() {
        for (mail, wire) in [
            ("", ""),
            ("a", "a\r\n"),
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n"),
            (".a\n.\nb", "..a\r\n..\r\nb\r\n"),
            ("a\r.\r\r\n", "a\r\n..\r\n\r\n"),
            ("a\n\n\r\nb.", "a\r\n\r\n\r\nb.\r\n"),
        ] {
            let (bytes, size) = dotted(mail.as_bytes());
            assert_eq!(String::from_utf8_lossy(&bytes), wire, "{mail:?}");
            let dots = wire.split("\r\n").filter(|line| line.starts_with('.')).count();
            assert_eq!(size, wire.len() - dots, "{mail:?}");
        }
    }

    proptest! {
        #[test]
        fn no_mail_ends_before_its_end(mail in "[a.\r\n]{0,40}") {
            let (bytes, _) = dotted(mail.as_bytes());
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            prop_assert!(text.is_empty() || text.ends_with("\r\n"));
            let lines: Vec<_> = text.split_terminator("\r\n").collect();
            prop_assert!(lines.iter().all(|line| *line != "." && !line.contains(['\r', '\n'])));
            let read: Vec<_> = lines.iter().map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            let plain = mail.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(read, plain.split_terminator('\n').collect::<Vec<_>>());
        }
    }
}
