//! One conversation for one mail.

use std::time::Duration;

use data_encoding::BASE64;
use otpost_domain::contact::EmailAddress;
use otpost_domain::gateway::{Authentication, Smtp, Tls};
use otpost_domain::secret::SecretText;
use otpost_outbound::guard::NoConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::dialogue::{Dialogue, Stage};
use crate::reply::{Offers, Reply};
use crate::tls::{TlsFault, Trust};
use crate::wire::{Broken, Wire, dotted};

/// How long the leave-taking may last, after which nobody waits for the server any more.
const LEAVE: Duration = Duration::from_secs(1);

/// How a conversation ended before the mail was taken.
pub(crate) enum Fault {
    /// There was none.
    Host(NoConnection),
    /// There was no TLS.
    Tls(TlsFault),
    /// It broke off at the stage under way.
    Broken(Broken),
    /// The server refused the step under way.
    Refused(Reply),
    /// The server lacks what the gateway's settings ask for.
    Lacks(&'static str),
    /// The mail is larger than the server takes.
    TooLarge,
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// What a conversation is about.
pub(crate) struct Errand<'a> {
    /// The server and how to talk to it.
    pub(crate) smtp: &'a Smtp,
    /// User and password, where they are asked for.
    pub(crate) login: Option<(&'a SecretText, &'a SecretText)>,
    /// By what name we greet.
    pub(crate) name: &'a str,
    /// The envelope's sender.
    pub(crate) from: &'a EmailAddress,
    /// The envelope's recipient.
    pub(crate) to: &'a EmailAddress,
    /// The mail.
    pub(crate) mail: &'a [u8],
}

/// Speaks with the server at the other end of `stream`; the answer is the one by which it took the mail.
pub(crate) async fn converse(
    stream: TcpStream,
    trust: &Trust,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<Reply, Fault> {
    match errand.smtp.tls {
        Tls::None => {
            let mut wire = Wire::new(stream);
            let end = welcome(&mut wire, errand, talk).await;
            go_on(wire, end, errand, talk).await
        }
        Tls::Starttls => {
            let mut wire = Wire::new(stream);
            if let Err(fault) = ask_for_tls(&mut wire, errand, talk).await {
                leave(wire, &fault);
                return Err(fault);
            }
            let wire = secure(wire.into_stream()?, trust, errand, talk).await?;
            after_tls(wire, false, errand, talk).await
        }
        Tls::Implicit => {
            let wire = secure(stream, trust, errand, talk).await?;
            after_tls(wire, true, errand, talk).await
        }
    }
}

async fn secure(
    stream: TcpStream,
    trust: &Trust,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<Wire<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>, Fault> {
    talk.stage = Stage::Tls;
    let smtp = errand.smtp;
    let secured = trust.connect(stream, smtp.host.as_str(), smtp.ca_certificate.as_ref()).await;
    secured.map(Wire::new).map_err(Fault::Tls)
}

async fn after_tls<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    mut wire: Wire<S>,
    greeting: bool,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<Reply, Fault> {
    // What was offered before TLS was said by anybody (RFC 3207 section 4.2).
    let offers =
        if greeting { welcome(&mut wire, errand, talk).await } else { ehlo(&mut wire, errand, talk).await };
    go_on(wire, offers, errand, talk).await
}

async fn go_on<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    mut wire: Wire<S>,
    offers: Result<Offers, Fault>,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<Reply, Fault> {
    let end = match offers {
        Ok(offers) => hand_over(&mut wire, &offers, errand, talk).await,
        Err(fault) => Err(fault),
    };
    match &end {
        Ok(_) => spawn_leave(wire),
        Err(fault) => leave(wire, fault),
    }
    end
}

/// Takes leave of a server that still listens.
fn leave<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(wire: Wire<S>, fault: &Fault) {
    if matches!(fault, Fault::Refused(_) | Fault::Lacks(_) | Fault::TooLarge) {
        spawn_leave(wire);
    }
}

/// Takes leave, and nobody waits for it: what became of the mail is known.
fn spawn_leave<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(wire: Wire<S>) {
    drop(tokio::spawn(timeout(LEAVE, wire.quit())));
}

async fn welcome<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<Offers, Fault> {
    talk.stage = Stage::Greeting;
    positive(wire.hear(talk).await?)?;
    ehlo(wire, errand, talk).await
}

async fn ehlo<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<Offers, Fault> {
    let line = format!("EHLO {}", errand.name);
    let reply = positive(wire.ask(talk, Stage::Ehlo, &line, None).await?)?;
    Ok(Offers::of(&reply))
}

async fn ask_for_tls<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<(), Fault> {
    let offers = welcome(wire, errand, talk).await?;
    if !offers.starttls {
        return Err(Fault::Lacks("the server does not offer STARTTLS, so nothing was told to it"));
    }
    positive(wire.ask(talk, Stage::Starttls, "STARTTLS", None).await?).map(drop)
}

async fn hand_over<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    offers: &Offers,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<Reply, Fault> {
    authenticate(wire, offers, errand, talk).await?;
    let (mail, size) = dotted(errand.mail);
    if offers.most.is_some_and(|most| size > most) {
        return Err(Fault::TooLarge);
    }
    let parameter = if offers.size { format!(" SIZE={size}") } else { String::new() };
    let line = format!("MAIL FROM:<{}>{parameter}", errand.from.expose());
    positive(wire.ask(talk, Stage::Mail, &line, None).await?)?;
    let line = format!("RCPT TO:<{}>", errand.to.expose());
    positive(wire.ask(talk, Stage::Rcpt, &line, None).await?)?;
    wanted(wire.ask(talk, Stage::Data, "DATA", None).await?, 354)?;
    positive(wire.send(talk, &mail).await?)
}

async fn authenticate<S: AsyncRead + AsyncWrite + Unpin + Send>(
    wire: &mut Wire<S>,
    offers: &Offers,
    errand: &Errand<'_>,
    talk: &mut Dialogue,
) -> Result<(), Fault> {
    let Some((user, password)) = errand.login else { return Ok(()) };
    let offered = |name: &str| offers.mechanisms.iter().any(|mechanism| mechanism == name);
    match errand.smtp.authentication {
        Authentication::None => return Ok(()),
        Authentication::Plain => {
            if !offered("PLAIN") {
                return Err(Fault::Lacks("the server does not offer AUTH PLAIN"));
            }
            // RFC 4616 section 2: for whom, who, and the proof of it.
            let plain = Zeroizing::new(format!("\0{}\0{}", user.expose(), password.expose()));
            let line = Zeroizing::new(format!("AUTH PLAIN {}", *encoded(&plain)));
            let shown = Some("AUTH PLAIN [redacted]");
            positive(wire.ask(talk, Stage::Auth, &line, shown).await?)?;
        }
        Authentication::Login => {
            if !offered("LOGIN") {
                return Err(Fault::Lacks("the server does not offer AUTH LOGIN"));
            }
            wanted(wire.ask(talk, Stage::Auth, "AUTH LOGIN", None).await?, 334)?;
            let shown = Some("[redacted]");
            wanted(wire.ask(talk, Stage::Auth, &encoded(user.expose()), shown).await?, 334)?;
            positive(wire.ask(talk, Stage::Auth, &encoded(password.expose()), shown).await?)?;
        }
    }
    Ok(())
}

fn encoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(BASE64.encode(text.as_bytes()))
}

fn positive(reply: Reply) -> Result<Reply, Fault> {
    if reply.is_positive() { Ok(reply) } else { Err(negative(reply)) }
}

fn wanted(reply: Reply, code: u16) -> Result<(), Fault> {
    if reply.code == code { Ok(()) } else { Err(negative(reply)) }
}

/// A refusal, or an answer to something else than what was asked.
fn negative(reply: Reply) -> Fault {
    if reply.code >= 400 { Fault::Refused(reply) } else { Fault::Broken(Broken::Nonsense) }
}
