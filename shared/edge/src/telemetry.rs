//! The log. Lambda's logging configuration sets format and level.
//!
//! Each line can be read alone. It holds ids and masked recipients; never a code, a seed, a link, a key's secret, an
//! address or a body. docs/logging.md has good and bad examples.

use std::error::Error;
use std::io;

use lambda_runtime::tracing::Subscriber;
use lambda_runtime::tracing::level_filters::LevelFilter;
use lambda_runtime::tracing::subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use lambda_runtime::tracing::subscriber::fmt::{self, MakeWriter};
use lambda_runtime::tracing::subscriber::layer::{Layer as _, SubscriberExt as _};
use lambda_runtime::tracing::subscriber::registry;
use lambda_runtime::tracing::subscriber::util::SubscriberInitExt as _;
use otpost_service::metrics::TARGET;
use otpost_service::ports::Clock;

use crate::ambient::SystemClock;
use crate::config::{Config, METRICS_NAMESPACE};
use crate::metrics::Metrics;

/// Set by Lambda: `JSON` or `Text`.
const FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
/// Set by Lambda.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";
/// For machines of developers; its directives win over the level.
const DIRECTIVES: &str = "RUST_LOG";

/// How the log is written.
#[derive(Debug, Default)]
struct Style {
    json: bool,
    level: Option<String>,
    directives: Option<String>,
    /// Where CloudWatch keeps the numbers; without it none are written.
    namespace: Option<String>,
}

/// Starts the log; once, at the begin of `main`.
pub fn init() {
    let set = |name| Config::from_env(&[name]).ok().and_then(|config| config.get(name));
    let style = Style {
        json: set(FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json")),
        level: set(LEVEL),
        directives: set(DIRECTIVES),
        namespace: set(METRICS_NAMESPACE),
    };
    subscriber(style, io::stdout, SystemClock).init();
}

/// Two layers: the log, without the numbers, and the numbers, whatever the log's level.
fn subscriber<W>(style: Style, writer: W, clock: impl Clock + 'static) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    let level = style.level.as_ref().or(style.directives.as_ref()).and_then(|level| level.parse().ok());
    let levels = EnvFilter::builder()
        .with_default_directive(level.unwrap_or(LevelFilter::INFO).into())
        .parse_lossy(style.directives.unwrap_or_default());
    let log = fmt::layer().with_target(false).without_time().with_writer(writer.clone());
    let log = if style.json { log.json().boxed() } else { log.boxed() };
    let numbers = style.namespace.map(|namespace| {
        Metrics::new(namespace, writer, clock).with_filter(filter_fn(|of| of.target() == TARGET))
    });
    registry().with(log.with_filter(levels.and(filter_fn(|of| of.target() != TARGET)))).with(numbers)
}

/// An error and its sources on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use otpost_domain::gateway::Country;
    use otpost_domain::message::Via;
    use otpost_domain::time::Timestamp;
    use otpost_service::metrics::{Metric, count, time};
    use serde_json::{Value, json};
    use tracing::subscriber::with_default;

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[derive(Clone, Copy)]
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_800_000_000_123)
        }

        async fn pause(&self, _time: Duration) {}
    }

    fn lines(style: Style, act: impl FnOnce()) -> Vec<Value> {
        let paper = Paper::default();
        let writer = paper.clone();
        with_default(subscriber(style, move || writer.clone(), Stopped), act);
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn json_style(level: &str, namespace: Option<&str>) -> Style {
        let namespace = namespace.map(str::to_owned);
        Style { json: true, level: Some(level.to_owned()), directives: None, namespace }
    }

    fn act() {
        let span = tracing::info_span!("Lambda runtime invoke", requestId = "4711");
        let _entered = span.enter();
        tracing::info!(route = "verify", "answered");
        count(Metric::Accepted, &Via::OWN, Some(Country::try_from("GB").unwrap()));
        time(Metric::TimeToReceipt, &Via::OWN, None, Duration::from_millis(2500));
        tracing::debug!("not at this level");
    }

    fn number(name: &str, unit: &str, value: u64, country: &str) -> Value {
        json!({
            "_aws": {
                "Timestamp": 1_800_000_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Otpost/dev",
                    "Dimensions": [[], ["Gateway", "Country"]],
                    "Metrics": [{ "Name": name, "Unit": unit }],
                }],
            },
            "Gateway": "deployment",
            "Country": country,
            name: value,
        })
    }

    #[test]
    fn numbers_are_lines_of_their_own_and_the_log_leaves_them_out() {
        let written = lines(json_style("INFO", Some("Otpost/dev")), act);
        let [answered, accepted, timed] = written.as_slice() else { panic!("{written:?}") };
        assert_eq!(answered["level"], "INFO");
        assert_eq!(answered["fields"], json!({ "message": "answered", "route": "verify" }));
        assert_eq!(answered["span"], json!({ "name": "Lambda runtime invoke", "requestId": "4711" }));
        assert!(answered.get("timestamp").is_none() && answered.get("target").is_none());
        assert_eq!(accepted, &number("Accepted", "Count", 1, "GB"));
        assert_eq!(timed, &number("TimeToReceipt", "Milliseconds", 2500, "none"));
    }

    #[test]
    fn a_quieter_log_still_counts() {
        let written = lines(json_style("ERROR", Some("Otpost/dev")), act);
        assert_eq!(written.len(), 2);
        assert!(written.iter().all(|line| line.get("_aws").is_some()));
    }

    #[test]
    fn without_a_namespace_nothing_is_counted() {
        let written = lines(json_style("INFO", None), act);
        assert_eq!(written.len(), 1);
    }

    #[test]
    fn directives_win_over_the_level() {
        let mut style = json_style("ERROR", None);
        style.directives = Some("otpost_edge=debug".to_owned());
        assert_eq!(lines(style, act).len(), 2);
    }
}
