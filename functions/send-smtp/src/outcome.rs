//! What each end of a conversation means: one table for all servers.
//!
//! Three things hold of all of it. A recipient is bad only by an answer to RCPT that speaks of the recipient: everything
//! that an operator could mend would otherwise pass for somebody's wrong address. The configuration is bad only by an
//! answer that would be the same for every recipient: what RCPT refuses without saying whose fault it is, is the mail's,
//! so that another way is tried and nobody is blamed. And once the final dot has left, a lost answer is no failure.

use otpost_domain::outcome::Outcome;
use otpost_outbound::guard::NoConnection;

use crate::dialogue::Stage;
use crate::reply::Enhanced;
use crate::session::Fault;
use crate::tls::TlsFault;
use crate::wire::Broken;
use crate::words::{About, about};

/// What a fault at `stage` means, and why in words of ours.
pub(crate) fn meaning(stage: Stage, fault: &Fault) -> (Outcome, String) {
    match fault {
        Fault::Host(NoConnection::NotAllowed) => {
            (Outcome::ConfigurationBad, NoConnection::NotAllowed.to_string())
        }
        Fault::Host(passing) => (retry(), passing.to_string()),
        Fault::Tls(TlsFault::Wrong(why)) | Fault::Lacks(why) => {
            (Outcome::ConfigurationBad, (*why).to_owned())
        }
        Fault::Tls(TlsFault::Passing(why)) => (retry(), (*why).to_owned()),
        Fault::Broken(broken) => {
            let outcome = if stage == Stage::End { Outcome::Unknown } else { retry() };
            (outcome, format!("{} at {stage}", ending(*broken)))
        }
        Fault::Refused(reply) => {
            let enhanced = reply.enhanced();
            let (verdict, why) = verdict(stage, reply.code, enhanced, about(reply));
            let class = reply.code / 100;
            let code = enhanced.map(|(subject, detail)| format!(" {class}.{subject}.{detail}"));
            let code = code.unwrap_or_default();
            (verdict.outcome(), format!("SMTP {}{code} at {stage}: {why}", reply.code))
        }
        Fault::TooLarge => (Outcome::ContentBad, "the mail is larger than the server takes".to_owned()),
    }
}

const fn retry() -> Outcome {
    Outcome::Retry { after: None }
}

const fn ending(broken: Broken) -> &'static str {
    match broken {
        Broken::Off => "the connection broke off",
        Broken::Nonsense => "the server said what is no answer",
        Broken::Endless => "the server's answer did not end",
        Broken::Late => "the server did not answer in time",
    }
}

/// An outcome of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Later,
    Recipient,
    Content,
    Configuration,
    Quota,
}

impl Verdict {
    const fn outcome(self) -> Outcome {
        match self {
            Self::Later => retry(),
            Self::Recipient => Outcome::RecipientBad,
            Self::Content => Outcome::ContentBad,
            Self::Configuration => Outcome::ConfigurationBad,
            Self::Quota => Outcome::QuotaGone,
        }
    }
}

/// The table. The first row that fits counts; the last row of each stage is for what nobody has heard of.
///
/// Codes: RFC 5321 section 4.2.3, RFC 4954 section 6, RFC 1870 section 6, RFC 7504. Enhanced codes, by subject and
/// detail: RFC 3463 section 3, RFC 5248, RFC 7372, RFC 7505; and those of Exchange, with a detail of 60 or more. Words
/// count where the codes before them leave it open.
fn verdict(
    stage: Stage,
    code: u16,
    enhanced: Option<Enhanced>,
    words: Option<About>,
) -> (Verdict, &'static str) {
    use Stage::{Auth, Content, Data, Ehlo, End, Greeting, Mail, Rcpt, Starttls};
    use Verdict::{Configuration, Later, Quota, Recipient};
    let detail = enhanced.unwrap_or((0, 0));
    match (stage, code, detail) {
        // Amazon SES says it with 454.
        _ if words == Some(About::Quota) => (Quota, "the account may send no more for a while"),
        (Auth, 432, _) | (Auth, _, (7, 12)) => {
            (Configuration, "the password must first be set anew at the server")
        }
        (_, ..=499, _) => (Later, "the server wants to be asked again later"),
        (Greeting, ..) => (Configuration, "the server takes no mail from here"),
        (Ehlo, ..) => {
            (Configuration, "the server does not take the greeting; ehlo_name may have to be another")
        }
        (Starttls, ..) => (Configuration, "the server offers STARTTLS and refuses it"),

        (Auth, 535, _) | (Auth, _, (7, 8)) => (Configuration, "user or password are wrong"),
        (Auth, 534, _) | (Auth, _, (7, 9)) => (Configuration, "the server wants a stronger authentication"),
        (Auth, 538, _) | (Auth, _, (7, 11)) => {
            (Configuration, "the server wants TLS before the authentication")
        }
        (Auth, 504, _) | (Auth, _, (5, 4)) => (Configuration, "the server does not know this authentication"),
        (Auth, 525, _) | (Auth, _, (7, 13)) => (Configuration, "the user is switched off"),
        (Auth, ..) => (Configuration, "the server refuses the authentication"),

        (_, 530 | 534 | 535 | 538, _) | (_, _, (7, 8 | 9 | 11 | 13)) => {
            (Configuration, "the server wants another authentication")
        }
        (_, _, (4, 5)) => (Quota, "the account may send no more for a while"),
        (Rcpt, _, (2, 2)) => (Recipient, "the mailbox is full"),
        (_, 552, (0, _)) | (_, _, (2, 3) | (3, 4)) => (Verdict::Content, "the mail is too large"),

        (Mail, _, (7, _)) => (Configuration, "the server does not let this sender send"),
        (Mail, ..) => (Configuration, "the sender's address is refused"),

        (Rcpt | End, _, (1, 7 | 8)) => (Configuration, "it is the sender's address that is refused"),
        (Rcpt | End, _, (7, 60) | (2, 252)) => {
            (Configuration, "the user may not send with the sender's address")
        }
        (Rcpt | End, _, (7, 20..=29)) => {
            (Configuration, "the server wants SPF, DKIM or DMARC of the sender's domain")
        }
        (Rcpt | End, _, (7, 501..=503 | 511 | 606..=649)) => {
            (Configuration, "the server has banned who sends")
        }

        (Rcpt, _, (1 | 2, 1..)) => (Recipient, "the mailbox does not exist or is closed"),
        (Rcpt, _, (6, _)) => (Verdict::Content, "the server does not take mails of this form"),
        // A closed group or the like. Its words may be about authentication all the same.
        (Rcpt, _, (7, 2..)) => (Verdict::Content, "the server's policy refuses this recipient"),
        (Rcpt, ..) if words == Some(About::Sender) => {
            (Configuration, "the server does not relay for this sender, or wants it to be another")
        }
        (Rcpt, _, (7, _)) if words == Some(About::Recipient) => {
            (Verdict::Content, "the server's policy refuses this recipient")
        }
        // Without a word of why it is mostly relaying.
        (Rcpt, _, (7, 1)) => (Configuration, "the server does not relay to there, or its policy forbids it"),
        (Rcpt, _, (7, _)) => (Verdict::Content, "the server's policy refuses this mail"),
        (Rcpt, _, (1 | 2, _)) => (Recipient, "the mailbox does not exist or is closed"),
        (Rcpt, ..) if words == Some(About::Recipient) => (Recipient, "the recipient's address is refused"),
        (Rcpt, _, (3 | 5, _)) => (Verdict::Content, "the server does not take this recipient's address so"),
        (Rcpt, 550 | 551 | 553 | 556, _) => (Recipient, "the mailbox does not exist or takes no mail"),
        (Rcpt, ..) => (Verdict::Content, "the server does not take the recipient and does not say why"),

        (Data, ..) => (Configuration, "the server does not let the mail begin"),

        (End, ..) if matches!(words, Some(About::Sender | About::Account)) => {
            (Configuration, "the server does not let this sender or account send")
        }
        (End, 550 | 554, _) | (End, _, (7, _)) => (Verdict::Content, "the server's policy refuses this mail"),
        (End, ..) => (Verdict::Content, "the server refuses this mail"),

        // Nothing is answered there, or not by SMTP.
        (Stage::Connect | Stage::Tls | Content, ..) => (Configuration, "the server takes nothing"),
    }
}

#[cfg(test)]
mod tests;
