//! Nothing is lost and nothing doubled: thousands of messages, while processes die, calls fail, queues lose, double and
//! delay, and providers do all that providers do. Beside it stands what truly happened, and at the end the record of each
//! message must tell that.
//!
//! The worlds are the same in every run: what a change breaks is seen at once, and nobody else's run fails for it. A world
//! that fails tells its seed; `OTPOST_CHAOS_SEED=<seed>` runs that one again. `OTPOST_CHAOS_WORLDS=<number>` runs so many
//! others, by chance.

mod chance;
mod judge;
mod outside;
mod silence;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;
use std::time::Duration;

use libtest_mimic::Trial;
use otpost_domain::message::{Channel, MessageStatus};

use chance::Chance;
use judge::{Found, judged};
use outside::Mood;
use world::{Group, Order, Rough, Setting, World};

/// How many messages a world has.
const MESSAGES: usize = 500;
/// How many worlds there are.
const WORLDS: usize = 40;
/// How many run at the same time.
const THREADS: usize = 2;
/// How many stories a world that fails tells.
const STORIES: usize = 2;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = silence::trials();
    trials.push(crate::plain("chaos::nothing_lost_nothing_doubled", nothing_lost_nothing_doubled));
    trials
}

const SMS: &[Channel] = &[Channel::Sms];
const EMAIL: &[Channel] = &[Channel::Email];
const BOTH: [&[Channel]; 2] = [&[Channel::Sms, Channel::Email], &[Channel::Email, Channel::Sms]];

const fn by_text(sms: &'static [(&'static str, u64)], minutes: u64) -> Group {
    Group { channels: SMS, sms, email: &[], minutes }
}

/// How messages go: by two and three routes that tell, by such that do not, by one alone, by mail, by what is left.
const GROUPS: [Group; 11] = [
    by_text(&[("twilio-a", 60), ("notify", 60)], 60),
    by_text(&[("notify", 30), ("twilio-a", 30), ("twilio-b", 60)], 30),
    by_text(&[("twilio-mute", 20), ("notify", 60)], 20),
    by_text(&[("twilio-b", 90), ("notify-mute", 60)], 10),
    by_text(&[("twilio-mute", 60)], 15),
    by_text(&[("twilio-b", 5), ("notify", 5), ("notify-mute", 5)], 10),
    by_text(&[("twilio-b", 20), ("twilio-a", 20)], 120),
    Group { channels: EMAIL, sms: &[], email: &[], minutes: 60 },
    Group { channels: EMAIL, sms: &[], email: &[("mail", 60), ("smtp", 60)], minutes: 40 },
    Group { channels: BOTH[0], sms: &[("notify", 45)], email: &[("smtp", 30), ("mail", 30)], minutes: 30 },
    Group { channels: BOTH[1], sms: &[("twilio-a", 30), ("notify", 60)], email: &[], minutes: 20 },
];

/// A world in which everything is left to chance.
fn left_to_chance(seed: u64) -> Setting {
    let mut chance = Chance::of(seed ^ 0x5eed);
    let rough = chance.pick(&[
        Rough { calls: 1, lost: 5, doubled: 20, late: 10 },
        Rough { calls: 10, lost: 20, doubled: 50, late: 50 },
        Rough { calls: 40, lost: 100, doubled: 150, late: 200 },
    ]);
    // Now and then many come at once.
    let within = chance.pick(&[120, 1200, 3000]);
    let order = |_| {
        let group = usize::try_from(chance.below(GROUPS.len().try_into().expect("few"))).expect("few");
        Order {
            at: Duration::from_millis(chance.below(within * 1000)),
            group,
            revoked: chance.hits(40).then(|| Duration::from_millis(chance.below(400_000))),
        }
    };
    let orders = (0..MESSAGES).map(order).collect();
    let mut moods = BTreeMap::new();
    for gateway in
        ["twilio-a", "twilio-b", "twilio-mute", "notify", "notify-mute", "mail", "smtp", "deployment"]
    {
        let mut of = Vec::new();
        let mut from = 0;
        while from < 7200 {
            let slow = chance.between(40, 150);
            let moods = [
                Mood::Busy,
                Mood::Broken,
                Mood::Vanished,
                Mood::Silent,
                Mood::Slow(slow),
                Mood::Misconfigured,
                Mood::Spent,
            ];
            let mood = if chance.hits(500) { Mood::Usual } else { chance.pick(&moods) };
            of.push((Duration::from_secs(from), mood));
            from += chance.between(30, 700);
        }
        moods.insert(gateway, of);
    }
    Setting { seed, rough, groups: GROUPS.to_vec(), orders, moods }
}

/// What a world came to.
#[derive(Clone, Debug, Default)]
struct Sum {
    statuses: BTreeMap<&'static str, usize>,
    requests: usize,
    struck: usize,
    died: usize,
    timed_out: usize,
    lost: usize,
    doubled: usize,
    put_aside: usize,
    told: usize,
    turns: usize,
    arrived_twice: usize,
    after_delivery: usize,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        for (status, count) in &other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.requests += other.requests;
        self.struck += other.struck;
        self.died += other.died;
        self.timed_out += other.timed_out;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.put_aside += other.put_aside;
        self.told += other.told;
        self.turns += other.turns;
        self.arrived_twice += other.arrived_twice;
        self.after_delivery += other.after_delivery;
    }
}

async fn ran(seed: u64, watched: Option<&otpost_domain::ids::MessageId>) -> (World, Vec<Found>) {
    let mut world = World::new(left_to_chance(seed)).await;
    world.outside.lock().watched = watched.cloned();
    world.run().await;
    let found = judged(&world).await;
    (world, found)
}

/// What a world came to, or how it failed, told at length.
async fn run(seed: u64) -> Result<Sum, String> {
    let (world, found) = ran(seed, None).await;
    if !found.is_empty() {
        let mut told =
            vec![format!("OTPOST_CHAOS_SEED={seed} cargo test -p otpost-tests --test it -- chaos::nothing")];
        let kinds: BTreeSet<&str> = found.iter().map(|found| found.what.as_str()).collect();
        told.push(format!("{} faults in {MESSAGES} messages: {kinds:?}", found.len()));
        let mut shown = BTreeSet::new();
        for found in &found {
            if shown.len() < STORIES && shown.insert(found.what.clone()) {
                // The same once more, and somebody writes it down.
                let (world, _) = ran(seed, Some(&found.message.id)).await;
                told.push(format!("{}\n{}", found.what, world.story(&found.message).await));
            }
        }
        return Err(told.join("\n\n"));
    }
    let mut statuses: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (reference, ..) in world.pushed.values() {
        *statuses.entry(world.message(reference).await.status.as_str()).or_default() += 1;
    }
    let counts = world.counts;
    let state = world.outside.lock();
    let arrived = state.requests.iter().filter(|asked| asked.arrives && asked.channel == Channel::Sms);
    let mut arrivals: BTreeMap<_, usize> = BTreeMap::new();
    for asked in arrived {
        *arrivals.entry(&asked.message).or_default() += 1;
    }
    Ok(Sum {
        statuses,
        requests: state.requests.len(),
        struck: state.struck,
        died: counts.died,
        timed_out: counts.timed_out,
        lost: counts.lost,
        doubled: counts.doubled,
        put_aside: counts.put_aside,
        told: counts.told,
        turns: world.turns.len(),
        arrived_twice: arrivals.values().filter(|times| **times > 1).count(),
        after_delivery: judge::in_hand_at_delivery(&state),
    })
}

/// A future that waits for nothing but simulated time.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

#[expect(clippy::disallowed_methods, reason = "a test's own switch")]
fn switch(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn seeds() -> Vec<u64> {
    let others = switch("OTPOST_CHAOS_WORLDS");
    let begin = if others.is_some() { RandomState::new().hash_one(0) } else { 0 };
    let mut chance = Chance::of(begin);
    let worlds = others.map_or(WORLDS, |many| usize::try_from(many).expect("few"));
    // Short, to be typed.
    (0..worlds).map(|_| chance.below(1_000_000_000)).collect()
}

fn nothing_lost_nothing_doubled() {
    let seeds = switch("OTPOST_CHAOS_SEED").map_or_else(seeds, |seed| vec![seed]);
    let worlds = seeds.len();
    let (left, results) = (Mutex::new(seeds), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let next = left.lock().expect("not poisoned").pop();
                    let Some(seed) = next else { break };
                    let result = block_on(run(seed));
                    results.lock().expect("not poisoned").push(result);
                }
            });
        }
    });
    let results = results.into_inner().expect("not poisoned");
    let mut sum = Sum::default();
    results.iter().flatten().for_each(|world| sum.add(world));
    println!("{} messages in {worlds} worlds: {sum:?}", worlds * MESSAGES);
    let failed: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    for failed in &failed {
        println!("{}", failed.lines().take(3).collect::<Vec<_>>().join(" "));
    }
    if let Some(first) = failed.first() {
        panic!("{} of {worlds} worlds failed; the first:\n{first}", failed.len());
    }
    assert_eq!(results.len(), worlds, "every world came to its end");
    let all =
        [MessageStatus::Delivered, MessageStatus::Undelivered, MessageStatus::Sent, MessageStatus::Failed];
    if worlds == WORLDS {
        assert!(
            all.iter().all(|status| sum.statuses.contains_key(status.as_str())),
            "chance reaches all of it"
        );
    }
}
