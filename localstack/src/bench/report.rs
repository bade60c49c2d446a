//! The results as Markdown, and their place in `docs/performance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::journey::{Journey, Part};
use super::ledger::{Call, Found, Ledger};
use super::machine::Machine;
use super::operation::Operation;
use super::prices::{Prices, Usage};
use super::statistics::{Sample, microseconds, milliseconds};
use super::units::Units;
use crate::build::{FUNCTIONS, HELLO};

/// Above and below what is rewritten.
const BEGIN: &str = "<!-- results: written by `cargo local bench` -->";
const END: &str = "<!-- end of results -->";

/// What we aim at: starts as a multiple of hello's, memory in MB, CPU milliseconds of a verification and of rendering a
/// mail.
const START_AIM: f64 = 3.0;
const MEMORY_AIM: f64 = 32.0;
const VERIFY_AIM: f64 = 1.0;
const RENDER_AIM: f64 = 5.0;
/// Own time of the functions between order and provider, as a multiple of a call of hello.
const WAY_AIM: f64 = 40.0;
/// What the functions are deployed with, in MB (`infra/lib/otp-function.ts`).
const DEPLOYED_MEMORY: f64 = 256.0;

/// All that was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// The size of each zip in bytes.
    pub packages: BTreeMap<&'static str, u64>,
    /// Starts of each function in milliseconds.
    pub starts: BTreeMap<&'static str, Sample>,
    /// Warm calls of hello.
    pub hello: Vec<Call>,
    /// Messages on their way through the whole system.
    pub journeys: Vec<Journey>,
    /// Calls and memory.
    pub found: Found,
    /// The price list.
    pub prices: Prices,
}

impl Report {
    /// The whole report.
    #[must_use]
    pub fn markdown(&self) -> String {
        let parts = [
            self.machine(),
            self.aims(),
            self.starting(),
            self.verifying(),
            self.calling(),
            self.travelling(),
            self.costing(),
        ];
        parts.join("\n")
    }

    fn machine(&self) -> String {
        format!(
            "Measured on: {}. Processes that wanted a core in the minute before: {}.\n",
            self.machine, self.machine.load
        )
    }

    fn aims(&self) -> String {
        let mut table = Table::new("Aims", &["aim", "measured", ""]);
        let hello = self.start(HELLO);
        let slowest = FUNCTIONS.iter().map(|name| (self.start(name) / hello, *name));
        let slowest = slowest.max_by(|left, right| left.0.total_cmp(&right.0)).unwrap_or_default();
        let largest = self.found.memory.iter().map(|(name, kilobytes)| (megabytes(*kilobytes * 1024), *name));
        let largest = largest.max_by(|left, right| left.0.total_cmp(&right.0)).unwrap_or_default();
        let verify = |ledger: &Ledger| cpu(ledger.of(Operation::Right)).mean() / 1e3;
        let (alone, emulator) = (verify(&self.found.steady), verify(&self.found.timed));
        let verdict = |kept: bool| if kept { "kept" } else { "**missed**" }.to_owned();
        table.row(&[
            format!("every function starts within {START_AIM} × hello"),
            format!("at most {:.2} × ({})", slowest.0, slowest.1),
            verdict(slowest.0 <= START_AIM),
        ]);
        table.row(&[
            format!("peak memory under {MEMORY_AIM} MB"),
            format!("at most {:.1} MB ({})", largest.0, largest.1),
            verdict(largest.0 < MEMORY_AIM),
        ]);
        table.row(&[
            format!("a verification under {VERIFY_AIM} ms of CPU"),
            format!("{alone:.2} ms alone"),
            verdict(alone < VERIFY_AIM),
        ]);
        table.row(&[
            "the same beside the emulator".to_owned(),
            format!("{emulator:.2} ms"),
            verdict(emulator < VERIFY_AIM),
        ]);
        let sent = cpu(self.found.timed.of(Operation::Send)).mean() / 1e3;
        table.row(&[
            format!("a mail with its QR code rendered in under {RENDER_AIM} ms of CPU"),
            format!("{sent:.2} ms, all else that `send-ses` does for it included"),
            verdict(sent < RENDER_AIM),
        ]);
        let way = [Operation::Push, Operation::Deliver, Operation::Send];
        let way: f64 = way.iter().map(|operation| own(self.found.timed.of(*operation)).median()).sum();
        let way = way / own(&self.hello).median();
        table.row(&[
            format!("the functions on a mail's way take {WAY_AIM} × a call of hello"),
            format!("{way:.1} ×, own time of `push-token`, `deliver` and `send-ses` together"),
            verdict(way <= WAY_AIM),
        ]);
        table.text
    }

    fn starting(&self) -> String {
        let starts = self.starts.get(HELLO).map_or(0, Sample::len);
        let title = format!("Cold starts ({starts} of each, taking turns) and memory");
        let columns =
            ["function", "start, median", "p10 – p90", "× hello", "peak memory after all calls", "zip"];
        let mut table = Table::new(&title, &columns);
        let hello = self.start(HELLO);
        for name in [HELLO].iter().chain(FUNCTIONS) {
            let Some(sample) = self.starts.get(name) else { continue };
            let memory = self.found.memory.get(name).map(|kb| format!("{:.1} MB", megabytes(kb * 1024)));
            table.row(&[
                format!("`{name}`"),
                format!("{:.2} ms", sample.median()),
                format!("{:.2} – {:.2} ms", sample.percentile(10), sample.percentile(90)),
                format!("{:.2}", sample.median() / hello),
                memory.unwrap_or_else(|| "–".to_owned()),
                format!("{:.2} MB", megabytes(self.packages.get(name).copied().unwrap_or_default())),
            ]);
        }
        table.text
    }

    fn verifying(&self) -> String {
        let columns = [
            "`verify`, warm",
            "calls",
            "CPU mean",
            "CPU p50 / p90 / p99",
            "own time p50 / p90 / p99",
            "wall p50 / p90 / p99",
        ];
        let title = "Can answers be told apart by their time? (the function alone, remembered answers)";
        let mut alone = Table::new(title, &columns);
        let mut emulator = Table::new("The same against the emulator", &columns);
        for operation in Operation::VERIFY {
            for (table, ledger) in [(&mut alone, &self.found.steady), (&mut emulator, &self.found.timed)] {
                let calls = ledger.of(operation);
                let cpu = cpu(calls);
                table.row(&[
                    operation.name().trim_start_matches("verify, ").to_owned(),
                    calls.len().to_string(),
                    format!("{:.0} µs", cpu.mean()),
                    format!("{} µs", spread(&cpu, 0)),
                    format!("{} ms", spread(&own(calls), 2)),
                    format!("{} ms", spread(&wall(calls), 2)),
                ]);
            }
        }
        format!("{}\n{}", alone.text, emulator.text)
    }

    fn calling(&self) -> String {
        let columns = [
            "operation",
            "function",
            "first call: wall",
            "first call: own",
            "first call: requests",
            "warm: wall",
            "warm: own",
            "warm: CPU mean",
        ];
        let mut table = Table::new("Calls (medians)", &columns);
        table.row(&[
            "nothing at all".to_owned(),
            format!("`{HELLO}`"),
            "–".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
            format!("{:.1} ms", wall(&self.hello).median()),
            format!("{:.2} ms", own(&self.hello).median()),
            format!("{:.0} µs", cpu(&self.hello).mean()),
        ]);
        for operation in Operation::ALL {
            let (first, warm) = (self.found.first.of(operation), self.found.timed.of(operation));
            table.row(&[
                operation.name().to_owned(),
                format!("`{}`", operation.function()),
                format!("{:.1} ms", wall(first).median()),
                format!("{:.1} ms", own(first).median()),
                first.first().map_or(0, |call| call.asked.len()).to_string(),
                format!("{:.1} ms", wall(warm).median()),
                format!("{:.2} ms", own(warm).median()),
                format!("{:.0} µs", cpu(warm).mean()),
            ]);
        }
        table.text
    }

    fn travelling(&self) -> String {
        let title = format!(
            "From the order to the provider's request ({} mails one after the other, the whole local system)",
            self.journeys.len()
        );
        let mut table = Table::new(&title, &["part", "median", "p10 – p90", "of the whole"]);
        let sample = |took: &dyn Fn(&Journey) -> Duration| -> Sample {
            self.journeys.iter().map(|journey| milliseconds(took(journey))).collect()
        };
        let sum = sample(&|journey| Part::ALL.iter().map(|part| journey.of(*part)).sum());
        let mut row = |name: &str, sample: &Sample| {
            table.row(&[
                name.to_owned(),
                format!("{:.1} ms", sample.median()),
                format!("{:.1} – {:.1} ms", sample.percentile(10), sample.percentile(90)),
                format!("{:.2}", sample.mean() / sum.mean()),
            ]);
        };
        for part in Part::ALL {
            row(part.name(), &sample(&|journey| journey.of(part)));
        }
        let queues = Part::ALL.iter().filter(|part| part.is_queue());
        let queues = sample(&|journey| queues.clone().map(|part| journey.of(*part)).sum());
        row("both queues", &queues);
        row("from the accepted order to the provider's request", &sample(&|journey| journey.whole));
        table.text
    }

    fn costing(&self) -> String {
        let Prices { region, as_of, .. } = &self.prices;
        let title = format!("Requests, units, and dollars per million (list prices of {region}, {as_of})");
        let columns = [
            "operation",
            "requests",
            "RRU",
            "WRU",
            "API",
            "Lambda",
            "DynamoDB",
            "SQS, KMS",
            "SES",
            "logs, traces",
            "sum",
        ];
        let mut table = Table::new(&title, &columns);
        for operation in Operation::ALL {
            let Some(usual) = usual(&self.found.counted, operation) else { continue };
            let usage = usage(operation, usual, self.found.timed.of(operation));
            let bill = self.prices.bill(&usage);
            let dollars = |amount: f64| if amount > 0.0 { format!("{amount:.2}") } else { "–".to_owned() };
            table.row(&[
                operation.name().to_owned(),
                requests(usual),
                format!("{}", usage.units.read),
                format!("{}", usage.units.write),
                dollars(bill.api),
                dollars(bill.lambda),
                dollars(bill.dynamodb),
                dollars(bill.queues_and_keys),
                dollars(bill.mail),
                dollars(bill.logs),
                format!("**{:.2}**", bill.sum()),
            ]);
        }
        table.text
    }

    fn start(&self, name: &str) -> f64 {
        self.starts.get(name).map(Sample::median).unwrap_or_default()
    }
}

/// The call that stands for all: the one in the middle by number of requests, so that one which just reloaded a key
/// does not.
fn usual(ledger: &Ledger, operation: Operation) -> Option<&Call> {
    let mut calls: Vec<&Call> = ledger.of(operation).iter().collect();
    calls.sort_by_key(|call| call.asked.len());
    calls.get(calls.len().saturating_sub(1) / 2).copied()
}

fn usage(operation: Operation, usual: &Call, timed: &[Call]) -> Usage {
    let number = |service: &str| {
        let count = usual.asked.iter().filter(|asked| asked.operation.starts_with(service)).count();
        u32::try_from(count).map(f64::from).unwrap_or_default()
    };
    let mut units = Units::default();
    for asked in &usual.asked {
        units += asked.units;
    }
    Usage {
        http: operation.is_http(),
        memory: DEPLOYED_MEMORY,
        milliseconds: own(timed).median(),
        requests: number(""),
        units,
        queued: number("SQS SendMessage"),
        kms: number("KMS "),
        mails: number("SES SendEmail"),
        log_bytes: u32::try_from(usual.logged).map(f64::from).unwrap_or_default(),
    }
}

/// `Query, UpdateItem`, with what is not DynamoDB's by its full name.
fn requests(call: &Call) -> String {
    let names = call.asked.iter().map(|asked| asked.operation.trim_start_matches("DynamoDB "));
    names.collect::<Vec<_>>().join(", ")
}

fn cpu(calls: &[Call]) -> Sample {
    calls.iter().map(|call| microseconds(call.cpu)).collect()
}

fn own(calls: &[Call]) -> Sample {
    calls.iter().map(|call| milliseconds(call.own)).collect()
}

fn wall(calls: &[Call]) -> Sample {
    calls.iter().map(|call| milliseconds(call.wall)).collect()
}

fn spread(sample: &Sample, digits: usize) -> String {
    [50, 90, 99].map(|percent| format!("{:.digits$}", sample.percentile(percent))).join(" / ")
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A Markdown table under a heading.
struct Table {
    text: String,
}

impl Table {
    fn new(title: &str, columns: &[&str]) -> Self {
        let mut table = Self { text: format!("### {title}\n\n") };
        table.row(columns);
        table.row(&vec!["---"; columns.len()]);
        table
    }

    fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }
}

/// The page with `block` between its marks; nothing if it has none.
#[must_use]
pub fn renewed(page: &str, block: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", block.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::wire::Asked;
    use std::path::Path;

    fn asked(operation: &str, write: f64) -> Asked {
        let units = Units { read: 0.0, write };
        Asked {
            operation: operation.to_owned(),
            took: Duration::from_millis(2),
            units,
            payload: None,
            answer: None,
        }
    }

    fn call(asked: Vec<Asked>) -> Call {
        let millis = Duration::from_millis;
        Call { wall: millis(6), own: millis(2), cpu: Duration::from_micros(400), logged: 300, asked }
    }

    #[test]
    fn only_what_is_between_the_marks_is_rewritten() {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nThe rest.\n");
        let once = renewed(&page, "new\n").unwrap();
        assert_eq!(once, format!("# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nThe rest.\n"));
        assert_eq!(renewed(&once, "new\n").unwrap(), once);
        assert_eq!(renewed("# Title\n", "new"), None);
        assert_eq!(renewed(BEGIN, "new"), None);
    }

    #[test]
    fn the_page_has_its_marks() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
        assert!(renewed(&std::fs::read_to_string(page).unwrap(), "new").is_some());
    }

    #[test]
    fn a_call_that_reloads_a_key_does_not_stand_for_all() {
        let two = || call(vec![asked("DynamoDB Query", 0.0), asked("DynamoDB UpdateItem", 1.0)]);
        let three = call(vec![asked("DynamoDB GetItem", 0.0), asked("x", 0.0), asked("y", 0.0)]);
        let ledger = Ledger::from_iter([(Operation::Right, vec![three, two(), two()])]);
        let usual = usual(&ledger, Operation::Right).unwrap();
        assert_eq!(requests(usual), "Query, UpdateItem");
        let usage = usage(Operation::Right, usual, &[two()]);
        assert_eq!(
            (usage.requests.to_bits(), usage.units.write.to_bits()),
            (2.0_f64.to_bits(), 1.0_f64.to_bits())
        );
        assert!(usage.http);
    }

    #[test]
    fn aims_are_told_as_kept_or_missed() {
        let calls = vec![call(vec![asked("DynamoDB Query", 0.0)])];
        let ledger = || Ledger::from_iter(Operation::ALL.map(|operation| (operation, calls.clone())));
        let start =
            |name: &&'static str| (*name, [if *name == "verify" { 6.5 } else { 2.0 }].into_iter().collect());
        let report = Report {
            machine: Machine::here(),
            packages: BTreeMap::new(),
            starts: FUNCTIONS.iter().chain(&[HELLO]).map(start).collect(),
            hello: calls.clone(),
            journeys: vec![Journey::new(
                [1, 2, 3, 4, 10].map(Duration::from_millis),
                Duration::from_millis(19),
            )],
            found: Found {
                first: ledger(),
                timed: ledger(),
                counted: ledger(),
                steady: ledger(),
                memory: BTreeMap::from([("verify", 10 * 1024)]),
            },
            prices: Prices::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prices.json")).unwrap(),
        };
        let text = report.markdown();
        assert!(text.contains("at most 3.25 × (verify) | **missed** |"), "{text}");
        assert!(text.contains("at most 10.0 MB (verify) | kept |"), "{text}");
        assert!(text.contains("| 0.40 ms alone | kept |"), "{text}");
        let row = "| both queues | 6.0 ms | 6.0 – 6.0 ms | 0.30 |";
        assert!(text.contains(row) && text.contains("3.0 ×, own time"), "{text}");
        assert!(
            text.contains("| right code | 1 | 400 µs | 400 / 400 / 400 µs | 2.00 / 2.00 / 2.00 ms |"),
            "{text}"
        );
    }
}
