//! The settings of policies, as `docs/policies.md` has them.

use otpost_domain::document::Value;
use otpost_domain::policy::Settings;
use otpost_service::document::json_of;

const BEGIN: &str = "<!-- settings: written by the code -->\n";
const END: &str = "<!-- end of settings -->\n";

/// The page `kept` with its table of settings as the code says.
///
/// # Panics
/// When the page has no place for it.
#[must_use]
pub fn page(kept: &str) -> String {
    let (before, rest) = kept.split_once(BEGIN).expect("the mark before the settings");
    let (_, after) = rest.split_once(END).expect("the mark behind the settings");
    format!("{before}{BEGIN}{}{END}{after}", table())
}

fn table() -> String {
    let mut table = "\n| setting | values | default | meaning |\n|---|---|---|---|\n".to_owned();
    for setting in Settings::catalogue() {
        let default = match &setting.default {
            Value::Null => "none".to_owned(),
            Value::List(items) if items.is_empty() => "none".to_owned(),
            default => format!("`{}`", json_of(default)),
        };
        let row = format!("| `{}` | {} | {default} | {} |\n", setting.name, setting.range, setting.meaning);
        table.push_str(&row);
    }
    table.push('\n');
    table
}
