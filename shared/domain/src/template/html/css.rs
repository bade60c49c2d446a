//! What styles may hold: what mail clients keep, and nothing that is loaded.

use super::spelling::Spelling;
use super::{HtmlFault, shown};

/// Takes what is found, by its place in the source.
pub(super) type Report<'a> = dyn FnMut(usize, HtmlFault) + 'a;

/// The rules whose content at least some of the large clients read.
const AT_RULES: [&str; 5] = ["media", "supports", "charset", "page", "viewport"];

/// Properties that Gmail or Outlook drops and that leave a layout broken.
const DROPPED: [&str; 8] = [
    "position",
    "clip-path",
    "object-fit",
    "object-position",
    "filter",
    "backdrop-filter",
    "behavior",
    "binding",
];

/// Beginnings of properties of the same kind.
const DROPPED_FAMILIES: [&str; 3] = ["transform", "animation", "transition"];

/// Ways to show a box that fall apart where they are not known.
const DROPPED_DISPLAYS: [&str; 8] =
    ["flex", "inline-flex", "grid", "inline-grid", "box", "inline-box", "flexbox", "inline-flexbox"];

/// Reports what must not stand in a style sheet or in a `style` attribute.
pub(super) fn check(written: &Spelling, report: &mut Report<'_>) {
    let mut unfinished = Vec::new();
    let css = plain(written, &mut unfinished);
    let (mut start, mut braces, mut brackets) = (0, Vec::new(), Vec::new());
    for (at, character) in css.text().char_indices() {
        match character {
            '(' => brackets.push(at),
            ')' => drop(brackets.pop()),
            '{' | '}' => {
                unfinished.extend(brackets.drain(..).map(|bracket| css.place(bracket)));
                stretch(&css, start, at, character == '{', report);
                start = at + 1;
                if character == '{' {
                    braces.push(at);
                } else if braces.pop().is_none() {
                    unfinished.push(css.place(at));
                }
            }
            // Within brackets it belongs to a URL.
            ';' if brackets.is_empty() => {
                stretch(&css, start, at, false, report);
                start = at + 1;
            }
            _ => {}
        }
    }
    stretch(&css, start, css.text().len(), false, report);
    unfinished.extend(braces.into_iter().chain(brackets).map(|open| css.place(open)));
    for place in unfinished {
        report(place, HtmlFault::UnfinishedStyle);
    }
}

/// The style without comments and escapes, with nothing in its strings that could be taken for structure.
fn plain(written: &Spelling, unfinished: &mut Vec<usize>) -> Spelling {
    let mut characters = written.characters().peekable();
    let mut plain = Vec::new();
    let mut string: Option<(char, usize)> = None;
    while let Some((character, place)) = characters.next() {
        match (character, string) {
            ('\\', _) => {
                if let Some(meant) = escaped(&mut characters) {
                    plain.push((meant, place));
                }
                continue;
            }
            ('\n' | '\r' | '\u{c}', Some((_, opened))) => {
                unfinished.push(opened);
                string = None;
            }
            ('"' | '\'', None) => string = Some((character, place)),
            (_, Some((quote, _))) if character == quote => string = None,
            ('(' | ')' | '{' | '}' | ';', Some(_)) => {
                plain.push(('_', place));
                continue;
            }
            ('/', None) if characters.peek().is_some_and(|(next, _)| *next == '*') => {
                characters.next();
                if !ends_comment(&mut characters) {
                    unfinished.push(place);
                }
                continue;
            }
            _ => {}
        }
        plain.push((character, place));
    }
    unfinished.extend(string.map(|(_, opened)| opened));
    plain.into_iter().collect()
}

/// Skips a comment. Says whether it ends.
fn ends_comment(characters: &mut impl Iterator<Item = (char, usize)>) -> bool {
    let mut star = false;
    characters.any(|(next, _)| {
        let ends = star && next == '/';
        star = next == '*';
        ends
    })
}

/// What a backslash makes of what follows. What is no letter, digit or hyphen loses its meaning by it.
fn escaped(characters: &mut core::iter::Peekable<impl Iterator<Item = (char, usize)>>) -> Option<char> {
    let mut code = 0;
    let mut digits = 0;
    while let Some(digit) = characters.peek().and_then(|(next, _)| next.to_digit(16)).filter(|_| digits < 6) {
        code = code * 16 + digit;
        digits += 1;
        characters.next();
    }
    let meant = if digits == 0 {
        characters.next().map(|(character, _)| character).filter(|c| !matches!(c, '\n' | '\r' | '\u{c}'))?
    } else {
        characters.next_if(|(next, _)| next.is_ascii_whitespace());
        char::from_u32(code).unwrap_or('_')
    };
    Some(if meant.is_ascii_alphanumeric() || meant == '-' { meant } else { '_' })
}

/// What stands between braces and semicolons: what a block is for, a declaration, or a rule of one line.
fn stretch(css: &Spelling, start: usize, end: usize, opens: bool, report: &mut Report<'_>) {
    let all = css.text().get(start..end).unwrap_or_default();
    let text = uncovered(all);
    let place = css.place(end - text.len());
    if let Some(rule) = text.strip_prefix('@') {
        let name: String = rule.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        match unprefixed(&name) {
            "import" => return report(place, HtmlFault::LoadingStyle),
            known if AT_RULES.contains(&known) => {}
            _ => report(place, HtmlFault::DroppedStyle(shown(&format!("@{name}")))),
        }
    } else if !opens && !text.is_empty() {
        match text.split_once(':').filter(|(name, _)| is_property(name.trim_end())) {
            Some((name, value)) => {
                let dropped = declaration(name.trim_end(), value);
                if let Some(what) = dropped {
                    report(place, HtmlFault::DroppedStyle(shown(&what)));
                }
            }
            None => report(place, HtmlFault::BadDeclaration(shown(text))),
        }
    }
    functions(css, end - text.len(), text, report);
}

/// What is left of a stretch without the marks that once hid sheets from clients that knew no styles.
fn uncovered(css: &str) -> &str {
    let mut css = css.trim_ascii_start();
    while let Some(rest) = css.strip_prefix("<!--").or_else(|| css.strip_prefix("-->")) {
        css = rest.trim_ascii_start();
    }
    css
}

/// Whether a property can have this name. Outlook's authors mark some with an asterisk.
fn is_property(name: &str) -> bool {
    let name = name.strip_prefix('*').unwrap_or(name);
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// The part of a declaration that clients drop, if any.
fn declaration(name: &str, value: &str) -> Option<String> {
    let known = unprefixed(name);
    if name.starts_with("--")
        || DROPPED.contains(&known)
        || DROPPED_FAMILIES.iter().any(|family| {
            known.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    {
        return Some(name.to_owned());
    }
    let shows = value.split([' ', '\t', '\r', '\n', '!']).find(|word| !word.is_empty())?;
    let breaks = known == "display" && DROPPED_DISPLAYS.contains(&unprefixed(shows));
    breaks.then(|| format!("display:{shows}"))
}

/// Reports the functions that clients do not know, and those that load something.
fn functions(css: &Spelling, start: usize, text: &str, report: &mut Report<'_>) {
    for (bracket, _) in text.match_indices('(') {
        let (before, after) =
            (text.get(..bracket).unwrap_or_default(), text.get(bracket + 1..).unwrap_or_default());
        let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
        let fault = match unprefixed(name) {
            "url" | "src" | "image" | "image-set" | "cross-fade" | "element" => loading(after),
            "var" | "env" | "calc" | "min" | "max" | "clamp" => HtmlFault::DroppedStyle(format!("{name}()")),
            "expression" => HtmlFault::Script,
            _ => continue,
        };
        report(css.place(start + bracket - name.len()), fault);
    }
}

/// What is wrong with a URL in a style.
fn loading(url: &str) -> HtmlFault {
    let url = url.trim_start_matches(|character: char| character <= ' ' || matches!(character, '"' | '\''));
    if url.starts_with("data:") {
        HtmlFault::DataUrl
    } else if super::runs(url) {
        HtmlFault::Script
    } else if url.starts_with('#') {
        HtmlFault::DroppedStyle("url()".to_owned())
    } else {
        HtmlFault::LoadingStyle
    }
}

/// A name without what says whose client it is for.
fn unprefixed(name: &str) -> &str {
    ["-webkit-", "-moz-", "-ms-", "-o-"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}
