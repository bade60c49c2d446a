//! A provider in trouble and nothing else wrong: what that costs, in figures.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Trial;
use otpost_domain::circuit::{LONGEST_OPEN, PROBE_WAIT};
use otpost_domain::message::{Channel, Message, MessageStatus};
use otpost_service::ports::HEALTH_LIFE;

use super::block_on;
use super::outside::Mood;
use super::world::{Group, Order, Rough, Setting, Turn, World};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        crate::plain("chaos::a_silent_provider_costs_what_is_in_flight", a_silent_provider),
        crate::plain("chaos::two_slow_providers_do_not_flap", two_slow_providers),
        crate::plain("chaos::a_busy_provider_spills_over", a_busy_provider),
    ]
}

/// The route's time of the first gateway.
const ROUTE: Duration = Duration::from_mins(1);
/// What queues and senders may add to it.
const GRACE: Duration = Duration::from_secs(5);
/// When the trouble begins.
const BEGINS: Duration = Duration::from_mins(3);
/// When it ends.
const ENDS: Duration = Duration::from_mins(18);
/// How long messages come.
const LASTS: Duration = Duration::from_mins(32);

/// A message in these figures.
struct Seen {
    /// When it was pushed.
    pushed: Duration,
    /// How long it took until the request that arrived.
    wait: Duration,
    message: Message,
}

/// Texts at a steady pace by gateway A, `twilio-a`, and then B, `notify`.
async fn simulated(pace: Duration, a: &[(Duration, Mood)], b: &[(Duration, Mood)]) -> (World, Vec<Seen>) {
    let many = u32::try_from(LASTS.as_millis() / pace.as_millis()).expect("not too many");
    let orders = (0..many).map(|number| Order { at: pace * number, group: 0, revoked: None }).collect();
    let routes = &[("twilio-a", 60), ("notify", 60)];
    let group = Group { channels: &[Channel::Sms], sms: routes, email: &[], minutes: 60 };
    let moods = BTreeMap::from([("twilio-a", a.to_vec()), ("notify", b.to_vec())]);
    let setting = Setting { seed: 1, rough: Rough::default(), groups: vec![group], orders, moods };
    let mut world = World::new(setting).await;
    world.run().await;
    let mut seen = Vec::new();
    for (reference, _, pushed) in world.pushed.values() {
        let message = world.message(reference).await;
        let state = world.outside.lock();
        let arrived = state.requests.iter().find(|asked| asked.message == reference.id && asked.arrives);
        let arrived = arrived.expect("every message arrives").at;
        let wait = Duration::from_millis(arrived.millis() - pushed.millis());
        seen.push(Seen { pushed: world.since_start(*pushed), wait, message });
    }
    (world, seen)
}

fn turns(world: &World, gateway: &str, wanted: Turn) -> Vec<Duration> {
    let of = world.turns.iter().filter(|(_, of, turn)| *of == gateway && *turn == wanted);
    of.map(|(at, ..)| world.since_start(*at)).collect()
}

const WELL: &[(Duration, Mood)] = &[(Duration::ZERO, Mood::Perfect)];

fn a_silent_provider() {
    for pace in [500, 5000].map(Duration::from_millis) {
        let a = [(Duration::ZERO, Mood::Perfect), (BEGINS, Mood::Silent), (ENDS, Mood::Perfect)];
        let (world, seen) = block_on(simulated(pace, &a, WELL));
        let opened = turns(&world, "twilio-a", Turn::Opened);
        let closed = turns(&world, "twilio-a", Turn::Closed);
        let vain = turns(&world, "twilio-a", Turn::Tried);
        let during = || seen.iter().filter(|seen| BEGINS <= seen.pushed && seen.pushed < ENDS);
        let by_a = |seen: &&Seen| seen.message.hops[0].via.shown() == "twilio-a";
        let tried = |seen: &&Seen| seen.message.hops[0].probe.is_some();
        let paid = during().filter(by_a).filter(|seen| !tried(seen)).count();
        let probes = during().filter(by_a).filter(tried).count();
        let longest = seen.iter().map(|seen| seen.wait).max().expect("messages");
        let longest_probe = during().filter(by_a).filter(tried).map(|seen| seen.wait).max();
        let (first, back) = (opened[0], closed[0]);
        let later: Vec<_> = during().filter(|seen| seen.pushed > first + HEALTH_LIFE + GRACE).collect();
        println!(
            "a silent provider at one message each {pace:?}: {paid} messages paid their route's time of {ROUTE:?}, at most \
             {longest:?}; passed over first {:?} after it fell silent; {probes} later ones tried it, for {longest_probe:?} \
             at most, {} went the other way at once; it was back {:?} after it recovered; {} messages in all",
            first.saturating_sub(BEGINS),
            later.len() - probes,
            back.checked_sub(ENDS),
            seen.len(),
        );
        assert!(seen.iter().all(|seen| seen.message.status == MessageStatus::Delivered), "all arrive");
        assert!(longest <= ROUTE + GRACE, "nobody waits for longer than the route's time");
        assert!(first <= BEGINS + ROUTE + Duration::from_secs(35), "it is passed over soon");
        assert!(
            later.iter().filter(|seen| by_a(seen)).all(tried),
            "later ones pay nothing, but those that try"
        );
        assert!(later.iter().filter(|seen| !tried(seen)).all(|seen| seen.wait <= GRACE));
        assert!(longest_probe.is_none_or(|wait| wait <= PROBE_WAIT + GRACE));
        assert!(
            (1..=6).contains(&probes) && probes == vain.iter().filter(|at| **at < ENDS).count(),
            "tried ever more seldom"
        );
        assert_eq!((opened.len(), closed.len()), (1, 1), "it opens and closes once");
        assert!(ENDS <= back && back <= ENDS + LONGEST_OPEN + ROUTE, "it comes back by itself");
        let since = seen.iter().filter(|seen| seen.pushed > back + HEALTH_LIFE + GRACE);
        assert!(since.clone().count() > 0 && since.clone().all(|seen| by_a(&seen)), "and all go by it again");
    }
}

fn two_slow_providers() {
    let slow = [(Duration::ZERO, Mood::Slow(90))];
    let (world, seen) = block_on(simulated(Duration::from_secs(2), &slow, &slow));
    let count = |gateway, turn| turns(&world, gateway, turn).len();
    let hops: usize = seen.iter().map(|seen| seen.message.hops.len()).sum();
    let of = |gateway| {
        let [opened, closed, vain] =
            [Turn::Opened, Turn::Closed, Turn::Tried].map(|turn| count(gateway, turn));
        println!(
            "two slow providers, {gateway}: opened {opened} times, closed {closed}, tried in vain {vain}"
        );
        (opened, closed, vain)
    };
    let (a, b) = (of("twilio-a"), of("notify"));
    println!("two slow providers: {hops} hops of {} messages in {LASTS:?}", seen.len());
    assert!(seen.iter().all(|seen| seen.message.status == MessageStatus::Delivered), "all arrive");
    for (opened, closed, vain) in [a, b] {
        assert!(opened <= 1 && closed == 0, "no flapping");
        assert!(vain <= 8, "tried ever more seldom");
    }
    assert!(seen.iter().all(|seen| seen.message.hops.len() <= 2), "two routes, two texts at most");
}

fn a_busy_provider() {
    let a = [(Duration::ZERO, Mood::Perfect), (BEGINS, Mood::Busy), (ENDS, Mood::Perfect)];
    let (world, seen) = block_on(simulated(Duration::from_secs(1), &a, WELL));
    let opened = turns(&world, "twilio-a", Turn::Opened);
    let closed = turns(&world, "twilio-a", Turn::Closed);
    let longest = seen.iter().map(|seen| seen.wait).max().expect("messages");
    let by_a = |seen: &&Seen| seen.message.hops[0].via.shown() == "twilio-a";
    let during = seen.iter().filter(|seen| BEGINS <= seen.pushed && seen.pushed < ENDS);
    let paid = during.filter(by_a).count();
    println!(
        "a busy provider: {paid} messages asked it, for {longest:?} at most; passed over first {:?} after it became busy; \
         back {:?} after it was not any more; {} messages in all",
        opened[0].saturating_sub(BEGINS),
        closed[0].checked_sub(ENDS),
        seen.len()
    );
    assert!(seen.iter().all(|seen| seen.message.status == MessageStatus::Delivered), "all arrive");
    assert!(longest <= ROUTE + GRACE, "it spills over within its route's time");
    assert!(opened[0] <= BEGINS + Duration::from_secs(15), "it is passed over soon");
    assert!(ENDS <= closed[0] && closed[0] <= ENDS + LONGEST_OPEN + ROUTE, "it comes back by itself");
}
