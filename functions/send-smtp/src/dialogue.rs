//! How far a conversation has come, and what was said in it.

use std::fmt;

use otpost_domain::outcome::Said;

/// Lines that are kept of a conversation.
const MOST_LINES: usize = 200;
/// Characters that are kept of a line: twice what RFC 5321 section 4.5.3.1.5 lets a server say in one.
const MOST_CHARACTERS: usize = 1_000;

/// The step of a conversation that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Finding the host and connecting to it.
    Connect,
    /// The handshake of TLS.
    Tls,
    /// The server's first words.
    Greeting,
    /// EHLO.
    Ehlo,
    /// STARTTLS (RFC 3207).
    Starttls,
    /// AUTH (RFC 4954).
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The mail itself, up to the final dot.
    Content,
    /// The final dot has left, or a part of it: from here on the server may have taken the mail.
    End,
}

impl Stage {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 11] = [
        Self::Connect,
        Self::Tls,
        Self::Greeting,
        Self::Ehlo,
        Self::Starttls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Content,
        Self::End,
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the connection",
            Self::Tls => "the TLS handshake",
            Self::Greeting => "the greeting",
            Self::Ehlo => "EHLO",
            Self::Starttls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Content => "the mail's content",
            Self::End => "the end of the mail",
        })
    }
}

/// A conversation so far. It outlives a conversation that is given up.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// The step under way.
    pub(crate) stage: Stage,
    said: Said,
    lines: usize,
}

impl Dialogue {
    pub(crate) fn new() -> Self {
        Self { stage: Stage::Connect, said: Said::default(), lines: 0 }
    }

    /// Notes what we say. No password and no content may be in it.
    pub(crate) fn client(&mut self, line: &str) {
        self.add("C: ", line);
    }

    /// Notes a line of the server's.
    pub(crate) fn server(&mut self, line: &str) {
        self.add("S: ", line);
    }

    fn add(&mut self, who: &str, line: &str) {
        self.lines += 1;
        if self.lines <= MOST_LINES {
            self.said.add(who.chars().chain(line.chars().take(MOST_CHARACTERS)).collect::<String>());
        }
    }

    pub(crate) fn into_said(self) -> Said {
        self.said
    }
}
