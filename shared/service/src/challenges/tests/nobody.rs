//! Somebody and nobody look the same.

use otpost_domain::message::MessageStatus;

use super::*;

/// Of whom a code is asked, and why none goes there.
struct Subject {
    name: &'static str,
    ports: MemoryPorts,
    why: Option<&'static str>,
    /// Whether messages go by one channel alone.
    alone: bool,
}

/// Jane and those who cannot be written to, each in a world of their own.
async fn subjects(channel: Option<Channel>, more: Value) -> Vec<Subject> {
    let mut settings = texts();
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut all = Vec::new();
    let alone = settings.get("channel_fallback").is_none();
    for (name, why) in [
        ("jane", None),
        ("nobody", Some("there is no such user")),
        ("bare", Some("the user has no address for")),
        ("off", Some("the user is switched off")),
    ] {
        let ports = janes(settings.clone()).await;
        user(&ports, "bare", None, None).await;
        user(&ports, "off", Some("off@example.org"), Some("+447700900124")).await;
        let off = Change { active: Some(false), ..Change::default() };
        crate::users::change_user(&ports, &app().caller, &named("off"), off, None).await.unwrap();
        all.push(Subject { name, ports, why, alone });
    }
    if channel == Some(Channel::Sms) {
        settings.as_object_mut().unwrap().remove("sms_routes");
        let ports = world(settings).await;
        user(&ports, "jane", None, Some(NUMBER)).await;
        all.push(Subject { name: "jane", ports, why: Some("no gateway is configured for sms"), alone });
    }
    all
}

/// What stands for all recipients of this form.
fn form(recipient: &str) -> String {
    let (rest, top) = recipient.rsplit_once('.').unwrap_or((recipient, ""));
    let same = |c: char| match c {
        'a'..='z' => 'a',
        '0'..='9' => '0',
        other => other,
    };
    let rest: String = rest.chars().map(same).collect();
    format!("{rest}{}", if top.is_empty() { "" } else { ".top" })
}

fn transcribed(answer: &Result<Shown, StartError>) -> String {
    match answer {
        Ok(Shown { purpose, digits, expires_at, resend_at, channel, recipient, .. }) => format!(
            "{purpose:?} {digits} until {expires_at:?} again {resend_at:?} {channel:?} {}",
            form(recipient)
        ),
        Err(error) => format!("{error:?}"),
    }
}

/// All that somebody with a key can learn of a subject who never types the right code.
async fn transcript(subject: &Subject, asker: &Asker, channel: Option<Channel>) -> Vec<String> {
    let Subject { name, ports, .. } = subject;
    let order = Order { addressee: Addressee::User(named(name)), channel, ..order() };
    let mut lines = Vec::new();
    let told = async |lines: &mut Vec<String>, id: &ChallengeId| {
        let told = tell(ports, asker, id).await.unwrap();
        let waiting = told.waiting.map(|waiting| {
            // Where a message may fall back, its next try is told, and nothing of one that is for nobody.
            let next = (waiting.next, waiting.advice);
            let shown = (waiting.state, waiting.channel, form(&waiting.recipient));
            format!("{shown:?} {:?}", subject.alone.then_some(next))
        });
        let (standing, purpose) = (told.standing, told.purpose);
        lines
            .push(format!("{standing:?} {purpose:?} {:?} {:?} {waiting:?}", told.expires_at, told.resend_at));
    };
    let mut round = 0;
    let mut wrongs = 0;
    while round < 400 {
        round += 1;
        let answer = start(ports, asker, &order, Once::not_kept()).await;
        lines.push(transcribed(&answer));
        work(ports).await;
        let shown = match answer {
            Ok(shown) => shown,
            Err(StartError::Wait { retry_after, why: Why::Failures }) if wrongs >= 40 => {
                assert_eq!(retry_after, Duration::from_hours(1));
                break;
            }
            Err(StartError::Wait { retry_after, .. }) => {
                pass(ports, retry_after);
                continue;
            }
            Err(other) => panic!("{other:?}"),
        };
        pass(ports, Duration::from_secs(3));
        told(&mut lines, &shown.id).await;
        let other = match round % 3 {
            0 => None,
            1 => Some(Channel::Email),
            _ => Some(Channel::Sms),
        };
        for _ in 0..2 {
            let again = resend(ports, asker, &shown.id, other, Once::not_kept()).await;
            lines.push(transcribed(&again));
            work(ports).await;
            pass(ports, COOL_DOWN);
        }
        told(&mut lines, &shown.id).await;
        let guesses = if round % 4 == 0 { 2_u8 } else { 9 };
        for guess in 0..guesses {
            let code = format!("{:06}", 100_000 * u32::from(guess) + round);
            let right = code_of(ports, &shown.id, None).await;
            assert_ne!(right, code, "the entropy of the tests is the same each time");
            let request = Some(BearerHash::of(&[&[guess], b"request"]));
            for _ in 0..2 {
                let answer = Answer { request: request.clone(), ..typed(&code) };
                lines.push(format!("{:?}", checked(ports, &shown.id, &answer).await.unwrap_err()));
            }
        }
        wrongs = row(ports, &shown.id).await.failures;
        told(&mut lines, &shown.id).await;
        if round % 5 == 0 {
            cancel(ports, asker, &shown.id).await.unwrap();
            let told = tell(ports, asker, &shown.id).await.unwrap();
            lines.push(format!("{:?} {:?}", told.standing, told.expires_at));
        }
        pass(ports, COOL_DOWN);
    }
    assert!(wrongs >= 40, "until nothing goes any more");
    lines
}

#[tokio::test]
async fn nobody_is_told_from_somebody_by_what_is_answered() {
    for asker in [app(), marked()] {
        for channel in [None, Some(Channel::Email), Some(Channel::Sms)] {
            for more in [json!({}), json!({ "channel_fallback": true, "recipient_mask": "end" })] {
                let mut first: Option<Vec<String>> = None;
                for subject in subjects(channel, more.clone()).await {
                    let lines = transcript(&subject, &asker, channel).await;
                    let Some(first) = &first else {
                        first = Some(lines);
                        continue;
                    };
                    let differs = first.iter().zip(&lines).position(|(one, other)| one != other);
                    assert_eq!(
                        differs.map(|at| (at, &first[at], &lines[at])),
                        None,
                        "{} by {channel:?}, marked {}",
                        subject.name,
                        asker.after_first_factor
                    );
                    assert_eq!(first.len(), lines.len());
                }
            }
        }
    }
}

#[tokio::test]
async fn nobodys_messages_are_closed_and_say_why() {
    for channel in [Channel::Email, Channel::Sms] {
        for Subject { name, ports, why, .. } in subjects(Some(channel), json!({})).await {
            let order = Order { addressee: Addressee::User(named(name)), ..by(channel) };
            let shown = started(&ports, &order).await;
            let message = last_message(&ports).await;
            assert_eq!((message.user, message.channel), (Some(named(name)), channel));
            let Some(why) = why else {
                assert!(message.content.is_some() && message.reason.is_none());
                continue;
            };
            assert_eq!((message.status, &message.content), (MessageStatus::Cancelled, &None));
            assert_eq!((message.due_at, message.hops.len()), (None, 0));
            assert_eq!((message.recipient.as_str(), &message.fallback), ("nobody", &None));
            let reason = message.reason.unwrap();
            assert!(reason.starts_with(why), "{reason}");
            assert!(work(&ports).await.is_empty());
            // Not even the code that follows from the id is one.
            let code = code_of(&ports, &shown.id, None).await;
            assert!(is_refused(&checked(&ports, &shown.id, &typed(&code)).await));
            pass(&ports, COOL_DOWN);
            sent_again(&ports, &shown.id).await.unwrap();
            assert!(work(&ports).await.is_empty());
            assert!(is_refused(&checked(&ports, &shown.id, &typed(&code)).await));
        }
    }
}

#[tokio::test]
async fn keys_that_may_not_know_are_shown_what_is_made_up() {
    let ports = janes(texts()).await;
    let shown = |asker: Asker, order: Order| {
        let ports = &ports;
        async move { start(ports, &asker, &order, Once::not_kept()).await.unwrap().recipient }
    };
    let told = shown(marked(), order()).await;
    assert_eq!(told, "+44 7*** ***123");
    let made_up = shown(app(), order()).await;
    assert_ne!(made_up, told);
    for _ in 0..3 {
        assert_eq!(shown(app(), order()).await, made_up, "the same each time");
    }
    let nobody = |name: &str| Order { addressee: Addressee::User(named(name)), ..order() };
    for asker in [app(), marked()] {
        let one = shown(asker.clone(), nobody("no-one")).await;
        assert_eq!(shown(asker.clone(), nobody("no-one")).await, one);
        assert_ne!(shown(asker, nobody("no-two")).await, one);
    }
    let waiting = async |asker: &Asker| {
        let id = start(&ports, asker, &order(), Once::not_kept()).await.unwrap().id;
        tell(&ports, asker, &id).await.unwrap().waiting.map(|waiting| waiting.recipient)
    };
    assert_eq!(waiting(&app()).await, None);
    assert_eq!(waiting(&marked()).await, Some(told));
}
