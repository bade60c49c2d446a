//! What is sent: a message's texts as a mail or a text for one account.

use otpost_domain::contact::{DisplayName, EmailAddress, PhoneNumber};
use otpost_domain::gateway::{Credentials, Settings, Text, Unfit};
use otpost_domain::message::{Channel, Message};
use otpost_domain::outcome::{Outcome, Report};
use otpost_domain::redaction::Redaction;
use otpost_domain::secret::SecretText;
use otpost_domain::template::{came_instead, may_send_from};

use super::account::Account;
use super::refused;
use crate::content::Content;
use crate::ports::{Configuration as _, Fault, PortError, PortResult, Ports, RecordKind, Sealer as _};
use crate::provider::{Letter, OutgoingEmail, OutgoingText};
use crate::texts::{self, RenderedEmail, Texts};

/// A letter, and what of it must not be told.
pub(super) struct Written {
    pub(super) letter: Letter,
    /// The address or number that the message is for, even where a text goes as a mail to somebody else.
    pub(super) recipient: String,
    pub(super) redaction: Redaction,
}

/// Opens a message's content and writes the letter that `account` is to send; or why it cannot.
pub(super) async fn letter(
    ports: &impl Ports,
    message: &Message,
    account: &Account,
) -> PortResult<Result<Written, Report>> {
    let missing = || PortError::new(Fault::Corrupt, "a message without content");
    let sealed = message.content.as_ref().ok_or_else(missing)?;
    let kind = RecordKind::MessageContent;
    let bytes = ports.sealer().open(&message.tenant, kind, message.id.as_str(), &sealed.0).await?;
    let content = Content::decode(&bytes)?;
    let channel = message.last_hop().map_or(message.channel, |hop| hop.channel);
    let falls_back = channel != message.channel;
    let content = if falls_back { content.fallen_back() } else { content };
    let written = match channel {
        Channel::Email => {
            let mail = mail(ports, message, account, &content).await?;
            let fallen = |mail| if falls_back { fallen(mail, message.channel, &content) } else { mail };
            mail.map(|mail| Letter::Email(fallen(mail)))
        }
        Channel::Sms => text(ports, message, account, &content, falls_back).await?,
    };
    Ok(written.map(|letter| Written {
        redaction: redaction(account, &content, &letter),
        recipient: content.to.clone(),
        letter,
    }))
}

async fn mail(
    ports: &impl Ports,
    message: &Message,
    account: &Account,
    content: &Content,
) -> PortResult<Result<OutgoingEmail, Report>> {
    let to = EmailAddress::try_from(content.to.as_str());
    let to = to.map_err(|_| PortError::new(Fault::Corrupt, "a recipient that is no address"))?;
    let Some(mailbox) = account.from() else {
        return Ok(Err(refused(Outcome::ConfigurationBad, "the gateway sends no mails")));
    };
    let texts = Texts::of(ports, &message.tenant, message.purpose, content).await?;
    let form =
        texts.email().ok_or_else(|| PortError::new(Fault::Corrupt, "the template has no e-mail form"))?;
    let look = ports.configuration().look(&message.tenant).await?;
    let RenderedEmail { filled, pictures } = texts::render(form, &content.values(), &look)?;
    let allowed = |address: &&EmailAddress| {
        account.gateway.as_ref().is_some_and(|gateway| may_send_from(gateway, address))
    };
    let from = form.from().address.as_ref().filter(allowed).unwrap_or(&mailbox.address);
    // The deployment speaks for every tenant, so it has no name of its own.
    let gateways = account.gateway.as_ref().and(mailbox.name.as_ref());
    let name =
        form.from().name.as_ref().or(gateways).map_or(content.tenant_name.as_str(), DisplayName::as_str);
    let mail = OutgoingEmail {
        to,
        from: from.clone(),
        from_name: Some(name.to_owned()),
        reply_to: reply_to(account.settings()),
        subject: SecretText::new(filled.subject),
        text: filled.text,
        html: filled.html,
        pictures,
    };
    Ok(Ok(match &content.own_text {
        None => mail,
        Some(own) => {
            OutgoingEmail { text: SecretText::new(own.as_str()), html: None, pictures: Vec::new(), ..mail }
        }
    }))
}

/// Says before all else that the mail comes in the place of something else.
fn fallen(mail: OutgoingEmail, first: Channel, content: &Content) -> OutgoingEmail {
    let words = came_instead(first, &content.locale);
    let text = SecretText::new(format!("{words}\n\n{}", mail.text.expose()));
    let html = mail.html.as_ref().map(|html| {
        let html = html.expose();
        let lower = html.to_ascii_lowercase();
        let body = lower.find("<body").and_then(|at| Some(at + lower.get(at..)?.find('>')? + 1));
        let (before, after) = html.split_at(body.unwrap_or_default());
        SecretText::new(format!("{before}<p>{words}</p>{after}"))
    });
    OutgoingEmail { text, html, ..mail }
}

async fn text(
    ports: &impl Ports,
    message: &Message,
    account: &Account,
    content: &Content,
    falls_back: bool,
) -> PortResult<Result<Letter, Report>> {
    let to = PhoneNumber::try_from(content.to.as_str());
    let to = to.map_err(|_| PortError::new(Fault::Corrupt, "a recipient that is no number"))?;
    if account.gateway.as_ref().is_some_and(|gateway| !gateway.may_text(&to)) {
        let why = "the gateway may not send texts to the number's country";
        return Ok(Err(refused(Outcome::RecipientBad, why)));
    }
    let text = if let Some(own) = &content.own_text {
        SecretText::new(own.as_str())
    } else {
        let texts = Texts::of(ports, &message.tenant, message.purpose, content).await?;
        let no_form = || PortError::new(Fault::Corrupt, "the template has no SMS form");
        texts.sms().ok_or_else(no_form)?.fill(&content.values()).text
    };
    // Before all else: a code stands at the end, where telephones look for it.
    let text = if falls_back {
        let words = came_instead(message.channel, &content.locale);
        SecretText::new(format!("{words} {}", text.expose()))
    } else {
        text
    };
    let code = (!content.code.is_empty()).then(|| SecretText::new(content.code.as_str()));
    Ok(match account.texts_by_mail() {
        None => Ok(Letter::Text(OutgoingText { to, text, code })),
        Some(_) => as_a_mail(account, &to, &text).map(Letter::Email),
    })
}

/// A text as the mail that a third party makes it of again: in plain text, and nothing around it that would be sent too.
fn as_a_mail(account: &Account, number: &PhoneNumber, text: &SecretText) -> Result<OutgoingEmail, Report> {
    let (Some((texts, credentials)), Some(mailbox)) = (account.texts_by_mail(), account.from()) else {
        return Err(refused(Outcome::ConfigurationBad, "the gateway turns no mails into texts"));
    };
    let pin = match credentials {
        Some(Credentials::EmailToSms { pin }) => Some(pin),
        _ => None,
    };
    let text = Text { number, text, pin };
    let unfit = |unfit| {
        let outcome = match unfit {
            Unfit::Number | Unfit::Abroad | Unfit::Address => Outcome::RecipientBad,
            Unfit::Subject | Unfit::Body | Unfit::TooLong { .. } => Outcome::ContentBad,
            Unfit::NoPin => Outcome::ConfigurationBad,
        };
        refused(outcome, format!("no mail can be made of the text: {unfit}"))
    };
    Ok(OutgoingEmail {
        to: texts.address(number, pin).map_err(unfit)?,
        from: mailbox.address.clone(),
        from_name: None,
        reply_to: None,
        subject: texts.subject(&text).map_err(unfit)?,
        text: texts.body(&text).map_err(unfit)?,
        html: None,
        pictures: Vec::new(),
    })
}

fn reply_to(settings: &Settings) -> Option<EmailAddress> {
    match settings {
        Settings::Ses(ses) => ses.reply_to.clone(),
        Settings::Smtp(smtp) => smtp.reply_to.clone(),
        Settings::Twilio(_) | Settings::GovukNotify(_) | Settings::EmailToSms(_) => None,
    }
}

/// All that a provider may echo and nobody may read in a log.
fn redaction(account: &Account, content: &Content, letter: &Letter) -> Redaction {
    let redaction = account.all_credentials().fold(Redaction::new(), Redaction::credentials);
    let values = [
        (content.link.as_str(), "[link]"),
        (&content.code, "[code]"),
        (&content.password, "[password]"),
        (&content.display_name, "[name]"),
        (&content.username, "[user]"),
    ];
    let authz = content.authz_code.as_deref().map(|code| (code, "[code]"));
    let values = values.into_iter().chain(authz).filter(|(value, _)| !value.is_empty());
    let redaction = values.fold(redaction, |redaction, (value, shown)| redaction.hide(value, shown));
    match letter {
        Letter::Email(mail) => {
            let redaction = mail.html.iter().fold(redaction, Redaction::text).recipient(&mail.to);
            let redaction = redaction.text(&mail.subject).text(&mail.text);
            match PhoneNumber::try_from(content.to.as_str()) {
                Ok(number) => redaction.recipient(&number),
                Err(_) => redaction,
            }
        }
        Letter::Text(text) => redaction.recipient(&text.to).text(&text.text),
    }
}
