//! Numbers for CloudWatch, in its embedded metric format: a line of the log that CloudWatch reads as a metric.

use std::fmt;
use std::io::Write as _;

use lambda_runtime::tracing::field::{Field, Visit};
use lambda_runtime::tracing::subscriber::Layer;
use lambda_runtime::tracing::subscriber::fmt::MakeWriter;
use lambda_runtime::tracing::subscriber::layer::Context;
use lambda_runtime::tracing::{Event, Subscriber};
use otpost_domain::time::Timestamp;
use otpost_service::metrics::TARGET;
use otpost_service::ports::Clock;
use serde_json::json;

/// Writes each event of the target [`TARGET`] as one line.
pub struct Metrics<W, C> {
    namespace: String,
    writer: W,
    clock: C,
}

impl<W, C> Metrics<W, C> {
    /// Under a namespace of CloudWatch.
    pub const fn new(namespace: String, writer: W, clock: C) -> Self {
        Self { namespace, writer, clock }
    }
}

impl<S, W, C> Layer<S> for Metrics<W, C>
where
    S: Subscriber,
    W: for<'w> MakeWriter<'w> + 'static,
    C: Clock + 'static,
{
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut number = Number::default();
        event.record(&mut number);
        let line = number.line(&self.namespace, self.clock.now());
        // A number that cannot be written is lost, as a line of the log would be: there is nobody to tell.
        let _written = self.writer.make_writer().write_all(line.as_bytes());
    }
}

/// What `otpost_service::metrics` puts into an event.
#[derive(Default)]
struct Number {
    metric: String,
    unit: String,
    value: u64,
    gateway: String,
    country: String,
}

impl Number {
    /// Counted once over all, and once for its gateway and country.
    fn line(&self, namespace: &str, now: Timestamp) -> String {
        let line = json!({
            "_aws": {
                "Timestamp": now.millis(),
                "CloudWatchMetrics": [{
                    "Namespace": namespace,
                    "Dimensions": [[], ["Gateway", "Country"]],
                    "Metrics": [{ "Name": self.metric, "Unit": self.unit }],
                }],
            },
            "Gateway": self.gateway,
            "Country": self.country,
            self.metric.as_str(): self.value,
        });
        format!("{line}\n")
    }
}

impl Visit for Number {
    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "metric" => &mut self.metric,
            "unit" => &mut self.unit,
            "gateway" => &mut self.gateway,
            "country" => &mut self.country,
            _ => return,
        };
        value.clone_into(place);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "value" {
            self.value = value;
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}
