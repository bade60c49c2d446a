//! Asking for a code, and for the same one again.

use std::collections::BTreeSet;

use otpost_domain::challenge::{
    Addressee, Challenge, ChallengeId, Claims, CodeMac, Limits, Place, SealedOrder, Secret, SourceClass,
    Start, Transaction, Why,
};
use otpost_domain::ids::MessageId;
use otpost_domain::message::{Channel, Message, MessageStatus};
use otpost_domain::policy::Settings;
use otpost_domain::template::CodePurpose;
use otpost_domain::tenant::{Tenant, User};
use otpost_domain::time::Timestamp;

use super::reach::{Reach, made_up};
use super::{Asker, Kept, Order, Shown, StartError, TRIES, claims, device, generation, name_of, sealed_id};
use crate::content::Content;
use crate::link::enqueue;
use crate::once::Once;
use crate::outgoing::{self, Draft};
use crate::policies::{Holds, held, held_by_all, of_everyone};
use crate::ports::{
    Again, Asked, ChallengeStore as _, Clock as _, Entropy as _, Fault, Journal, MessageRef,
    MessageStore as _, NewCode, PortError, PortResult, Ports, Write,
};

/// Sends a code to somebody; the one that is on its way already, where that is good still.
///
/// Once this returns, the message is on record and will be delivered or its failure told, whatever becomes of the queue.
///
/// # Errors
/// When nothing is sent just now, the same for everybody and nobody; or a port fails.
pub async fn start(
    ports: &impl Ports,
    asker: &Asker,
    order: &Order,
    once: Once<'_, Shown>,
) -> Result<Shown, StartError> {
    for _ in 0..TRIES {
        let scene = Scene::read(ports, asker, order).await?;
        if let Some(shown) = scene.start(ports, once).await? {
            return Ok(shown);
        }
    }
    Err(StartError::Busy)
}

/// Sends a challenge's code once more, by another channel if that is asked for.
///
/// # Errors
/// When the challenge is over, it is too early or too often, or a port fails.
pub async fn resend(
    ports: &impl Ports,
    asker: &Asker,
    id: &ChallengeId,
    channel: Option<Channel>,
    once: Once<'_, Shown>,
) -> Result<Shown, StartError> {
    let tenant = &asker.caller.tenant;
    let claims = claims(ports, tenant, id).await?.ok_or(StartError::NoSuchChallenge)?;
    let order = Order {
        addressee: claims.place.addressee.clone(),
        purpose: claims.place.purpose,
        channel,
        transaction: None,
        source: None,
    };
    for _ in 0..TRIES {
        let mut scene = Scene::read(ports, asker, &order).await?;
        let seen = match claims.place.source {
            SourceClass::Known => scene.facts.known.take(),
            SourceClass::Stranger => scene.facts.strangers.take(),
        };
        let seen = seen.ok_or(StartError::Over)?;
        let last = last(ports, asker, &seen, scene.now).await?;
        match seen.resend(claims.generation, last.as_ref().is_some_and(came_to_nothing), scene.now) {
            None => return Err(StartError::Over),
            Some(Start::Wait { retry_after, why }) => return Err(StartError::Wait { retry_after, why }),
            Some(_) => {}
        }
        let (kept, there) = Kept::open(ports, tenant, &seen.order.0).await?;
        // What is told is the same.
        if kept.reach != scene.digest() {
            scene.goes_to_nobody("the addresses have changed since");
        } else if !kept.good {
            scene.goes_to_nobody("nobody could be written to when the code was made");
        } else if there.confirms.is_some_and(|channel| !scene.reach.is_only(channel)) {
            // Whoever reads it elsewhere must not confirm an address by it.
            scene.goes_to_nobody("the code is to confirm an address on another channel");
        }
        scene.transaction = kept.transaction.as_deref().and_then(|text| Transaction::try_from(text).ok());
        if let Some(shown) = scene.again(ports, &seen, &kept, &there, true, once).await? {
            return Ok(shown);
        }
    }
    Err(StartError::Busy)
}

/// The last message, where it matters what became of it. Only who may know where it went learns of that by being allowed to
/// ask again at once.
async fn last(
    ports: &impl Ports,
    asker: &Asker,
    seen: &Challenge,
    now: Timestamp,
) -> PortResult<Option<Message>> {
    let held_back = now < seen.cool_until || seen.resent >= seen.most_resends;
    if !asker.after_first_factor || !held_back || !seen.is_live(now) {
        return Ok(None);
    }
    let reference = MessageRef { tenant: asker.caller.tenant.clone(), id: seen.message.clone() };
    ports.store().message(&reference).await
}

/// Whether nobody got a message.
const fn came_to_nothing(message: &Message) -> bool {
    matches!(message.status, MessageStatus::Failed | MessageStatus::Undelivered | MessageStatus::Expired)
}

/// What is to be done for whoever asks.
pub(super) struct Decided<'a> {
    place: Place,
    pub(super) start: Start,
    /// The code that there is, as it was read.
    seen: Option<(&'a Challenge, Kept, Claims)>,
}

/// All that is known when a code is asked for.
pub(super) struct Scene<'a> {
    asker: &'a Asker,
    order: &'a Order,
    /// What the code confirms.
    transaction: Option<Transaction>,
    pub(super) facts: Asked,
    pub(super) tenant: Tenant,
    pub(super) holds: Holds,
    pub(super) everyone: Settings,
    limits: Limits,
    pub(super) reach: Reach,
    /// The true time.
    pub(super) made_at: Timestamp,
    /// The time by which codes are judged.
    pub(super) now: Timestamp,
    /// What is audited with each message, where it is.
    pub(super) journal: Option<Journal>,
}

impl<'a> Scene<'a> {
    pub(super) async fn read(
        ports: &impl Ports,
        asker: &'a Asker,
        order: &'a Order,
    ) -> Result<Self, StartError> {
        let id = &asker.caller.tenant;
        let mut facts = ports.store().asked(id, &order.addressee, order.purpose).await?;
        let tenant = facts.tenant.take();
        let tenant = tenant.ok_or_else(|| PortError::new(Fault::Gone, "a key's tenant has no row"))?;
        let everyone = of_everyone(ports, id).await?;
        let holds = match (&facts.user, &order.addressee) {
            (Some(user), _) => {
                held(ports, id, &user.id, &user.groups).await?.in_language(user.locale.as_ref())
            }
            (None, Addressee::User(user)) => held(ports, id, user, &BTreeSet::new()).await?,
            (None, Addressee::Bare(_)) => held_by_all(ports, id).await?,
        };
        let (made_at, now) = (ports.clock().now(), asker.caller.now(ports));
        let reach = Reach::of(order, facts.user.as_ref(), &holds.settings, now);
        let limits = Limits::of(&everyone);
        let transaction = order.transaction.clone();
        let journal = None;
        Ok(Self {
            asker,
            order,
            transaction,
            facts,
            tenant,
            holds,
            everyone,
            limits,
            reach,
            made_at,
            now,
            journal,
        })
    }

    pub(super) fn user(&self) -> Option<&User> {
        self.facts.user.as_ref()
    }

    /// Unless it does so already.
    fn goes_to_nobody(&mut self, why: &str) {
        self.reach.nobody.get_or_insert_with(|| why.to_owned());
    }

    fn digest(&self) -> String {
        Reach::digest(self.user(), &self.order.addressee)
    }

    /// Whether a code may go by e-mail.
    fn mails(&self) -> bool {
        let mails = |channel| channel == Channel::Email;
        mails(self.reach.channel())
            || self.reach.fallback.as_ref().is_some_and(|contact| mails(contact.channel()))
    }

    /// The channel whose address the code confirms, if one is to be: where the code goes there and nowhere else.
    fn confirms(&self) -> Option<Channel> {
        let channel = self.reach.channel();
        let unconfirmed = |user: &User| !user.provenance(channel).is_confirmed(self.now);
        let alone = self.reach.nobody.is_none() && self.reach.fallback.is_none();
        (alone && self.user().is_some_and(unconfirmed)).then_some(channel)
    }

    /// Sends a code, or the one that there is. `None` when somebody else was faster.
    async fn start(&self, ports: &impl Ports, once: Once<'_, Shown>) -> Result<Option<Shown>, StartError> {
        self.carry_out(ports, self.decided(ports).await?, once).await
    }

    /// What is to be done.
    pub(super) async fn decided(&self, ports: &impl Ports) -> PortResult<Decided<'_>> {
        let order = self.order;
        let source = order.source.as_deref();
        let source = device::class(ports, &self.tenant.id, &order.addressee, &self.facts, source).await?;
        let place = Place { addressee: order.addressee.clone(), purpose: order.purpose, source };
        let Some(seen) = self.facts.at(source) else {
            return Ok(Decided { place, start: Start::New, seen: None });
        };
        let (kept, there) = Kept::open(ports, &self.tenant.id, &seen.order.0).await?;
        let same = kept.transaction.as_deref() == order.transaction.as_ref().map(Transaction::as_str)
            && kept.reach == self.digest()
            && (kept.good || self.reach.ways.is_empty())
            && there.confirms.is_none_or(|channel| self.reach.is_only(channel));
        let last = last(ports, self.asker, seen, self.now).await?;
        let start = seen.start(same, last.as_ref().is_some_and(came_to_nothing), self.now);
        let start = match (start, order.channel, last) {
            // It went another way: what is asked for does not happen yet.
            (Start::OnItsWay, Some(named), Some(last)) if last.channel != named => {
                Start::Wait { retry_after: self.now.until(seen.cool_until), why: Why::CoolDown }
            }
            (start, ..) => start,
        };
        Ok(Decided { place, start, seen: Some((seen, kept, there)) })
    }

    /// Does what is to be done. `None` when somebody else was faster.
    pub(super) async fn carry_out(
        &self,
        ports: &impl Ports,
        decided: Decided<'_>,
        once: Once<'_, Shown>,
    ) -> Result<Option<Shown>, StartError> {
        let Decided { place, start, seen } = decided;
        let sends = match start {
            Start::Wait { retry_after, why } => return Err(StartError::Wait { retry_after, why }),
            Start::New => return self.new_code(ports, place, seen.map(|(seen, ..)| seen), once).await,
            Start::Again => true,
            Start::OnItsWay => false,
        };
        // Only of a code that there is anything but a new one is decided.
        let Some((seen, kept, there)) = seen else { return Ok(None) };
        self.again(ports, seen, &kept, &there, sends, once).await
    }

    /// What is audited with a message, or with the one that is on its way.
    fn journal(&self, message: &MessageId, sends: bool) -> Option<Journal> {
        let mut journal = self.journal.clone()?;
        journal.audit.message = Some(message.clone());
        journal.audit.detail = (!sends).then_some("on_its_way");
        Some(journal)
    }

    /// Makes a code. `None` when somebody else was faster.
    async fn new_code(
        &self,
        ports: &impl Ports,
        place: Place,
        seen: Option<&Challenge>,
        once: Once<'_, Shown>,
    ) -> Result<Option<Shown>, StartError> {
        let (order, limits, tenant) = (self.order, &self.limits, &self.tenant.id);
        let claims = Claims {
            place,
            generation: generation(ports),
            secret: Secret::new(ports.entropy().array()),
            digits: u8::try_from(self.everyone.challenge_digits.get()).unwrap_or(6),
            expires_at: self.now.plus(limits.life),
            authenticates: self.holds.settings.email_codes_authenticate,
            confirms: self.confirms(),
        };
        let language = self.everyone.locale.as_str();
        let settings = &self.holds.settings;
        let kept = Kept {
            claims: claims.encode().to_vec(),
            transaction: self.transaction.as_ref().map(|text| text.as_str().to_owned()),
            reach: self.digest(),
            shown: self.reach.shown(ports, tenant, &order.addressee, settings, language).await?,
            good: !self.reach.ways.is_empty(),
        };
        let message = self.message(ports, &claims).await?;
        let code = claims.secret.code(claims.digits, order.purpose, self.transaction.as_ref());
        let right = claims.secret.mac(order.purpose, self.transaction.as_ref(), &code);
        let never = CodeMac(ports.entropy().array());
        let challenge = Challenge {
            place: claims.place.clone(),
            generation: claims.generation,
            mac: if kept.good { right } else { never },
            expires_at: claims.expires_at,
            guesses: 0,
            most_guesses: limits.attempts,
            failures: seen.map_or(0, Challenge::failures_in_a_row),
            guessed_at: seen.map_or(Timestamp::default(), |seen| seen.guessed_at),
            last: None,
            last_request: None,
            resent: 0,
            mailed: self.mails(),
            spent: false,
            most_resends: limits.resends,
            cool_until: self.now.plus(limits.cool_down),
            message: message.id.clone(),
            order: SealedOrder(kept.seal(ports, tenant).await?),
        };
        let shown = self.shown(ports, &challenge, &claims, &kept).await?;
        let answer = once.answer(ports, &shown).await?;
        let journal = self.journal(&message.id, true);
        let (journal, answer) = (journal.as_ref(), answer.as_ref());
        let new = NewCode { challenge: &challenge, replaces: seen, message: &message, journal, answer };
        if ports.store().new_code(tenant, &new).await? == Write::Stale {
            return Ok(None);
        }
        tracing::info!(message.id = %message.id, user = name_of(&challenge.place), "a code was asked for");
        enqueue(ports, &message).await;
        Ok(Some(shown))
    }

    /// Sends the code that there is once more, or, where it is on its way, only keeps the answer. `None` when somebody else
    /// was faster.
    async fn again(
        &self,
        ports: &impl Ports,
        seen: &Challenge,
        kept: &Kept,
        claims: &Claims,
        sends: bool,
        once: Once<'_, Shown>,
    ) -> Result<Option<Shown>, StartError> {
        let tenant = &self.tenant.id;
        let message = if sends { Some(self.message(ports, claims).await?) } else { None };
        let after = match &message {
            Some(message) => seen.clone().sent_again(
                message.id.clone(),
                self.mails(),
                self.now.plus(self.limits.cool_down),
            ),
            None => seen.clone(),
        };
        let shown = self.shown(ports, &after, claims, kept).await?;
        let answer = once.answer(ports, &shown).await?;
        let journal = self.journal(&after.message, sends);
        let (message, journal, answer) = (message.as_ref(), journal.as_ref(), answer.as_ref());
        let again = Again { seen, after: &after, message, journal, answer, at: self.now };
        if ports.store().send_code_again(tenant, &again).await? == Write::Stale {
            return Ok(None);
        }
        if let Some(message) = message {
            enqueue(ports, message).await;
        }
        Ok(Some(shown))
    }

    /// The message with the code; closed from the beginning where it goes to nobody.
    async fn message(&self, ports: &impl Ports, claims: &Claims) -> PortResult<Message> {
        let order = self.order;
        let code = claims.secret.code(claims.digits, order.purpose, self.transaction.as_ref());
        let (user, name) = match (&self.facts.user, &order.addressee) {
            (Some(user), _) => (Some(&user.id), user.name()),
            (None, Addressee::User(user)) => (Some(user), user.as_str()),
            (None, Addressee::Bare(contact)) => (None, contact.expose()),
        };
        let draft = Draft {
            tenant: &self.tenant,
            holds: &self.holds,
            user,
            name,
            serial: None,
            purpose: order.purpose.template(),
            to: self.reach.to.clone(),
            fallback: self.reach.fallback.clone(),
            with_code: false,
            made_at: self.made_at,
            expires_at: self.made_at.plus(self.now.until(claims.expires_at)),
        };
        let filled = |content: &mut Content| {
            code.expose().clone_into(&mut content.code);
            content.expires = claims.expires_at.for_people(&content.locale);
            content.purpose = words(order.purpose, self.transaction.as_ref(), &content.locale);
        };
        let message = outgoing::message(ports, draft, filled).await?;
        Ok(match &self.reach.nobody {
            Some(why) => message.never_sent(why),
            None => message,
        })
    }

    async fn shown(
        &self,
        ports: &impl Ports,
        challenge: &Challenge,
        claims: &Claims,
        kept: &Kept,
    ) -> PortResult<Shown> {
        let tenant = &self.tenant.id;
        let (channel, recipient) = if self.asker.after_first_factor {
            let channel = self.reach.channel();
            (channel, kept.shown(channel).to_owned())
        } else {
            let mask = self.everyone.recipient_mask;
            let channel = self.order.channel.or_else(|| self.everyone.channels.all().first().copied());
            let channel = match &self.order.addressee {
                Addressee::Bare(contact) => contact.channel(),
                Addressee::User(_) => channel.unwrap_or(Channel::Email),
            };
            let language = self.everyone.locale.as_str();
            let [email, sms] = made_up(ports, tenant, &self.order.addressee, mask, language).await?;
            (channel, if channel == Channel::Email { email } else { sms })
        };
        Ok(Shown {
            id: sealed_id(ports, tenant, claims).await?,
            purpose: claims.place.purpose,
            digits: claims.digits,
            expires_at: claims.expires_at,
            resend_at: challenge.cool_until,
            channel,
            recipient,
        })
    }
}

/// What `[[PURPOSE]]` says: what the code is for, and what it confirms.
fn words(purpose: CodePurpose, transaction: Option<&Transaction>, locale: &str) -> String {
    let words = purpose.words(locale);
    transaction.map_or_else(|| words.to_owned(), |text| format!("{words} ({})", text.as_str()))
}

/// The message that a challenge's code went with last.
pub(super) fn message_of(asker: &Asker, id: &MessageId) -> MessageRef {
    MessageRef { tenant: asker.caller.tenant.clone(), id: id.clone() }
}
