//! What the functions logged, read from the log groups.

use anyhow::Result;
use serde_json::{Value, json};

use crate::aws::Aws;

/// A line of a function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds since 1970.
    pub at: u64,
    /// The function's binary.
    pub function: String,
    /// What it wrote.
    pub text: String,
}

/// Every line that `functions` wrote, oldest first, without Lambda's own START, END and REPORT.
///
/// # Errors
/// The emulator refuses.
pub async fn read(aws: &Aws, functions: &[&str]) -> Result<Vec<Line>> {
    let answer = aws.call("logs", "Logs_20140328.DescribeLogGroups", &json!({})).await?;
    let groups: Vec<&str> = texts(&answer, "logGroups", "logGroupName").collect();
    let mut lines = Vec::new();
    for function in functions {
        for group in groups.iter().filter(|group| is_group_of(group, function)) {
            let body = json!({ "logGroupName": group, "limit": 10_000 });
            let answer = aws.call("logs", "Logs_20140328.FilterLogEvents", &body).await?;
            let events =
                answer.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            lines.extend(events.iter().filter_map(|event| line(function, event)));
        }
    }
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}

fn texts<'a>(answer: &'a Value, list: &str, field: &'a str) -> impl Iterator<Item = &'a str> {
    let entries = answer.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(move |entry| entry.get(field).and_then(Value::as_str))
}

fn line(function: &str, event: &Value) -> Option<Line> {
    let text = event.get("message")?.as_str()?.trim_end();
    let own = ["START RequestId:", "END RequestId:", "REPORT RequestId:"];
    if text.is_empty() || own.iter().any(|mark| text.starts_with(mark)) {
        return None;
    }
    Some(Line { at: event.get("timestamp")?.as_u64()?, function: function.to_owned(), text: text.to_owned() })
}

/// Whether CloudFormation made the log group for the function whose binary is `function`.
fn is_group_of(group: &str, function: &str) -> bool {
    plain(group).contains(&format!("functions{}logs", plain(function)))
}

/// Letters and digits in lower case: what a logical id keeps of a name.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_belong_to_functions_by_their_logical_id() {
        assert!(is_group_of("Otpost-local-Service-FunctionsPushTokenLogs1A-B2", "push-token"));
        assert!(!is_group_of("Otpost-local-Service-FunctionsPushTokenLogs1A-B2", "verify"));
        assert!(!is_group_of("/aws/apigateway/Otpost", "verify"));
    }

    #[test]
    fn lambdas_own_lines_are_left_out() {
        let event = |text: &str| json!({ "timestamp": 5, "message": text });
        let kept = line("verify", &event("{\"level\":\"INFO\"}\n")).unwrap();
        assert_eq!((kept.at, kept.text.as_str()), (5, "{\"level\":\"INFO\"}"));
        assert_eq!(line("verify", &event("REPORT RequestId: 1\tDuration: 3 ms")), None);
    }
}
