//! Brings back what queues have given up, but for what has ended meanwhile. Operators ask for it once they have removed
//! the cause.
//!
//! A letter of `deliver` or of a sender names a message. What becomes of that message is for `deliver` to decide anew:
//! the hop that a sender's letter was of may be long over.

use std::time::Duration;

use crate::ports::{
    Clock as _, DeadLetter, DeadLetters as _, DeliveryQueue as _, Fault, MessageRef, MessageStore as _,
    PortResult, Ports,
};

/// How long one call goes on at most, but for what it has begun.
const LONGEST: Duration = Duration::from_secs(20);
/// How many letters one call looks at, at most, but for what it has begun.
const MOST: usize = 1000;

/// What became of dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// How many messages were put back on the queue of `deliver`.
    pub redriven: usize,
    /// How many letters were thrown away: their messages are closed, expired or gone, or were put back already.
    pub skipped: usize,
    /// How many were left: they do not read, or their messages do not.
    pub left: usize,
    /// Whether there may be more.
    pub more: bool,
}

/// What is to be done with a letter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Redrive,
    Skip,
    Leave,
}

/// Looks through the dead letters, queue by queue.
///
/// # Errors
/// When a port fails. What was looked at and not taken away is shown again after a while.
pub async fn redrive(ports: &impl Ports) -> PortResult<Redriven> {
    let begun = ports.clock().now();
    let mut all = Redriven::default();
    let mut back: Vec<MessageRef> = Vec::new();
    let mut source = 0;
    // Kept from view until the end of their queue, so that they are not met again.
    let mut left = Vec::new();
    while let Some(letters) = ports.queue().letters(source).await? {
        if letters.is_empty() {
            put_back(ports, &mut left).await?;
            source += 1;
            continue;
        }
        let mut done = Vec::new();
        let mut open = Vec::new();
        for letter in letters {
            let fate = fate(ports, &letter, &back).await?;
            match (fate, &letter.message) {
                (Fate::Redrive, Some(message)) => {
                    all.redriven += 1;
                    back.push(message.clone());
                    open.push(message.clone());
                }
                (Fate::Skip, _) => all.skipped += 1,
                _ => all.left += 1,
            }
            let kept = if fate == Fate::Leave { &mut left } else { &mut done };
            kept.push(letter);
        }
        // First put on the queue: a letter that stays for all that does no harm.
        if !open.is_empty() {
            ports.queue().deliver_all(&open).await?;
        }
        if !done.is_empty() {
            ports.queue().discard(&done).await?;
        }
        let looked_at = all.redriven + all.skipped + all.left;
        if looked_at >= MOST || ports.clock().now() >= begun.plus(LONGEST) {
            all.more = true;
            break;
        }
    }
    put_back(ports, &mut left).await?;
    tracing::info!(
        redriven = all.redriven,
        skipped = all.skipped,
        left = all.left,
        more = all.more,
        "redriven"
    );
    Ok(all)
}

async fn put_back(ports: &impl Ports, left: &mut Vec<DeadLetter>) -> PortResult<()> {
    let left = std::mem::take(left);
    if left.is_empty() { Ok(()) } else { ports.queue().put_back(&left).await }
}

async fn fate(ports: &impl Ports, letter: &DeadLetter, back: &[MessageRef]) -> PortResult<Fate> {
    let Some(reference) = &letter.message else { return Ok(Fate::Leave) };
    if back.contains(reference) {
        return Ok(Fate::Skip);
    }
    let message = match ports.store().message(reference).await {
        Ok(message) => message,
        Err(error) if error.kind == Fault::Corrupt => return Ok(Fate::Leave),
        Err(error) => return Err(error),
    };
    let now = ports.clock().now();
    let wanted = message.is_some_and(|message| message.is_open() && now < message.expires_at);
    Ok(if wanted { Fate::Redrive } else { Fate::Skip })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::deliver;
    use crate::memory::{MemoryPorts, Queued, pushed};
    use otpost_domain::enrolment::LINK_LIFE;
    use otpost_domain::ids::MessageId;

    fn counted(redriven: usize, skipped: usize, left: usize) -> Redriven {
        Redriven { redriven, skipped, left, more: false }
    }

    #[tokio::test]
    async fn what_is_open_comes_back_once_and_what_does_not_read_stays() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        ports.queue().take();
        ports.queue().bury(0, Some(reference.clone()));
        ports.queue().bury(0, None);
        ports.queue().bury(1, Some(reference.clone()));
        assert_eq!(redrive(&ports).await.unwrap(), counted(1, 1, 1));
        assert_eq!(ports.queue().take(), [Queued::Deliver(reference)]);
        let buried = ports.queue().buried();
        assert_eq!(buried.len(), 1, "{buried:?}");
        assert_eq!(buried[0].message, None);
        assert_eq!(redrive(&ports).await.unwrap(), counted(0, 0, 1), "it is shown again at once");
    }

    #[tokio::test]
    async fn what_has_ended_is_thrown_away() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        let gone = MessageRef {
            id: MessageId::try_from("msg_06h03olgfrvrsonu93d19h37h0").unwrap(),
            ..reference.clone()
        };
        ports.clock().advance(LINK_LIFE);
        ports.queue().take();
        ports.queue().bury(0, Some(reference.clone()));
        ports.queue().bury(1, Some(gone));
        assert_eq!(
            redrive(&ports).await.unwrap(),
            counted(0, 2, 0),
            "expired, though nobody has closed it yet"
        );
        deliver(&ports, &reference).await.unwrap();
        ports.queue().bury(0, Some(reference));
        assert_eq!(redrive(&ports).await.unwrap(), counted(0, 1, 0), "closed");
        assert!(ports.queue().take().is_empty() && ports.queue().buried().is_empty());
    }

    #[tokio::test]
    async fn a_call_ends_and_says_that_there_is_more() {
        let ports = MemoryPorts::new();
        for _ in 0..MOST + 5 {
            ports.queue().bury(0, None);
        }
        let first = redrive(&ports).await.unwrap();
        assert_eq!((first.left, first.more), (MOST, true));
        assert_eq!(ports.queue().buried().len(), MOST + 5);

        let slow = MemoryPorts::new();
        let reference = pushed(&slow).await;
        (0..30).for_each(|_| slow.queue().bury(0, Some(reference.clone())));
        slow.clock().runs(LONGEST / 2);
        let first = redrive(&slow).await.unwrap();
        assert_eq!((first.redriven, first.skipped, first.more), (1, 9, true));
        slow.clock().runs(Duration::ZERO);
        let second = redrive(&slow).await.unwrap();
        assert_eq!((second.redriven, second.skipped, second.more), (1, 19, false));
    }

    #[tokio::test]
    async fn nothing_is_thrown_away_that_was_not_put_back_on_the_queue() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        ports.queue().bury(0, Some(reference));
        ports.queue().fail(true);
        assert!(redrive(&ports).await.is_err());
        ports.queue().fail(false);
        ports.queue().time_passes();
        assert_eq!(redrive(&ports).await.unwrap(), counted(1, 0, 0));
    }
}
