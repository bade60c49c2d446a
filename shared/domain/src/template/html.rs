//! What the HTML of a message may hold.
//!
//! Nothing is loaded, run or sent back from a message, and nothing is used that Gmail, Outlook or Apple Mail
//! drop, because then a message would look right to its author only. What only Outlook reads, in conditional
//! comments, may use what only Outlook knows.

mod css;
mod fault;
mod spelling;
mod tokens;

use core::ops::Range;
use std::collections::BTreeSet;

pub use fault::HtmlFault;
use spelling::Spelling;
use tokens::{Attribute, Tag, Token, tokens};

/// Gmail shows no more of a message than 102,400 bytes; values and pictures' tags need some.
pub(super) const MOST_BYTES: usize = 100_000;

/// Gmail reads no `<style>` that is longer.
const MOST_STYLE: usize = 8_192;

/// What a place in HTML belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// The text that readers see.
    Text,
    /// A tag, except for its values in quotation marks.
    Tag,
    /// The address of a link, in quotation marks.
    Address,
    /// Words for readers who do not see or understand the rest, in quotation marks.
    Words,
    /// Another value in quotation marks.
    AttributeValue,
    /// A comment, conditional or not, or a declaration.
    Comment,
    /// A style sheet, or the value of a `style` attribute.
    Style,
    /// Another element in which tags are no tags, such as `<title>`.
    Raw,
}

/// The places of a text that are something else than [`Place::Text`], in order.
#[derive(Debug)]
pub(super) struct Places(Vec<(Range<usize>, Place)>);

impl Places {
    /// Looks over a text.
    pub(super) fn of(html: &str) -> Self {
        let mut places = Vec::new();
        for token in tokens(html, 0..html.len()).0 {
            match token {
                Token::Comment { range, .. } => places.push((range, Place::Comment)),
                Token::Raw { name, range } => {
                    places.push((range, if name == "style" { Place::Style } else { Place::Raw }));
                }
                Token::Tag(tag) => {
                    let mut start = tag.range.start;
                    for attribute in &tag.attributes {
                        let Some(value) = attribute.value.as_ref().filter(|value| value.quoted) else {
                            continue;
                        };
                        let end = value.start + value.text.len();
                        places.push((start..value.start, Place::Tag));
                        let place = match attribute.name.as_str() {
                            "style" => Place::Style,
                            "href" => Place::Address,
                            "alt" | "title" => Place::Words,
                            _ => Place::AttributeValue,
                        };
                        places.push((value.start..end, place));
                        start = end;
                    }
                    places.push((start..tag.range.end, Place::Tag));
                }
            }
        }
        Self(places)
    }

    /// What a byte belongs to.
    pub(super) fn at(&self, offset: usize) -> Place {
        let next = self.0.partition_point(|(range, _)| range.end <= offset);
        self.0.get(next).filter(|(range, _)| range.contains(&offset)).map_or(Place::Text, |(_, place)| *place)
    }
}

/// All that is wrong, each with the byte where it begins, in that order.
pub(super) fn faults(html: &str) -> Vec<(usize, HtmlFault)> {
    let mut faults = Vec::new();
    stretch(html, 0..html.len(), &mut faults);
    faults.sort_by_key(|(place, _)| *place);
    faults
}

fn stretch(html: &str, range: Range<usize>, faults: &mut Vec<(usize, HtmlFault)>) {
    let (tokens, malformed) = tokens(html, range);
    faults.extend(malformed);
    let mut in_body = false;
    for token in tokens {
        match token {
            Token::Tag(tag) if tag.closing => {}
            Token::Tag(tag) => {
                in_body |= tag.name == "body";
                let misplaced = in_body && tag.name == "style";
                faults.extend(misplaced.then_some((tag.range.start, HtmlFault::StyleInBody)));
                element(&tag, faults);
                attributes(&tag, faults);
            }
            Token::Raw { name, range } if name == "style" => {
                let written = html.get(range.clone()).unwrap_or_default();
                if written.chars().count() > MOST_STYLE {
                    faults.push((range.start, HtmlFault::LongStyle));
                }
                style(&Spelling::raw(written, range.start), faults);
            }
            Token::Comment { conditional: Some(range), .. } => {
                let mut found = Vec::new();
                stretch(html, range, &mut found);
                faults.extend(found.into_iter().filter(|(_, fault)| fault.holds_for_outlook()));
            }
            Token::Raw { .. } | Token::Comment { .. } => {}
        }
    }
}

fn style(css: &Spelling, faults: &mut Vec<(usize, HtmlFault)>) {
    css::check(css, &mut |place, fault| faults.push((place, fault)));
}

/// The tags that all of the large mail clients keep.
const KNOWN: &str = "html head title meta style body div span p br hr h1 h2 h3 h4 h5 h6 center section article \
    header footer main nav aside table caption colgroup col thead tbody tfoot tr td th ul ol li dl dt dd a img map \
    area b strong i em u s strike del ins small big sub sup font tt code pre kbd samp var cite q blockquote abbr \
    acronym address dfn mark time wbr bdo bdi ruby rt rp figure figcaption";

/// What is wrong with an element, whatever its attributes.
fn element(tag: &Tag<'_>, faults: &mut Vec<(usize, HtmlFault)>) {
    let fault = match tag.name.as_str() {
        "script" => HtmlFault::Script,
        "form" | "input" | "button" | "select" | "option" | "optgroup" | "textarea" | "label"
        | "fieldset" | "legend" | "datalist" | "output" => HtmlFault::Form,
        "iframe" | "frame" | "frameset" | "object" | "embed" | "param" | "applet" | "video" | "audio"
        | "track" | "svg" | "math" | "canvas" | "base" => HtmlFault::Embedded(tag.name.clone()),
        "picture" | "source" | "image" => HtmlFault::RemoteImage,
        "link" => HtmlFault::LinkElement,
        "meta" if tag.attributes.iter().any(|attribute| attribute.name == "http-equiv") => {
            HtmlFault::MetaHttpEquiv
        }
        name if KNOWN.split(' ').any(|known| known == name) => return,
        name => HtmlFault::UnknownTag(shown(name)),
    };
    faults.push((tag.range.start, fault));
}

fn attributes(tag: &Tag<'_>, faults: &mut Vec<(usize, HtmlFault)>) {
    let mut names = BTreeSet::new();
    for attribute in &tag.attributes {
        let name = attribute.name.as_str();
        let fault = malformed(attribute)
            .or_else(|| (!names.insert(name)).then(|| HtmlFault::DuplicateAttribute(shown(name))))
            .or_else(|| runs_or_loads(attribute));
        faults.extend(fault.map(|fault| (attribute.start, fault)));
        if let ("style", Some(value)) = (name, &attribute.value) {
            style(&Spelling::attribute(value.text, value.start), faults);
        }
    }
}

/// What is wrong with how an attribute is written.
fn malformed(attribute: &Attribute<'_>) -> Option<HtmlFault> {
    let name = attribute.name.as_str();
    let bare = attribute.value.as_ref().filter(|value| !value.quoted).map(|value| value.text);
    let named = |character: char| character.is_ascii_alphanumeric() || "-_:.".contains(character);
    if name.contains("[[") || bare.is_some_and(|value| value.contains("[[")) {
        Some(HtmlFault::WildcardInTag)
    } else if !name.chars().all(named)
        || bare.is_some_and(|value| value.is_empty() || value.contains(['"', '\'', '`']))
    {
        Some(HtmlFault::BadAttribute(shown(name)))
    } else {
        None
    }
}

/// What is wrong with what an attribute does.
fn runs_or_loads(attribute: &Attribute<'_>) -> Option<HtmlFault> {
    // A name may have a prefix, as in Outlook's own tags.
    let name = attribute.name.rsplit(':').next().unwrap_or_default();
    let url = Spelling::url(attribute.value.as_ref().map_or("", |value| value.text));
    if name.starts_with("on") || runs(&url) {
        return Some(HtmlFault::Script);
    }
    match name {
        "href" | "src" | "srcset" | "background" | "poster" | "lowsrc" | "dynsrc" | "data" | "cite"
        | "longdesc"
            if url.starts_with("data:") =>
        {
            Some(HtmlFault::DataUrl)
        }
        "href" => {
            let safe =
                ["https://", "mailto:", "tel:", "#", "[[link]]"].iter().any(|start| url.starts_with(start));
            (!safe).then_some(HtmlFault::BadLink)
        }
        // The only pictures in a mail are those of wildcards, which become tags of their own.
        "src" | "background" | "srcset" | "poster" | "lowsrc" | "dynsrc" => Some(HtmlFault::RemoteImage),
        "ping" => Some(HtmlFault::BadLink),
        _ => None,
    }
}

/// Whether a URL, in lower case and without blanks, is a script.
fn runs(url: &str) -> bool {
    ["javascript:", "vbscript:", "livescript:", "mocha:"].iter().any(|scheme| url.starts_with(scheme))
}

/// As much of what was written as a message about it should repeat.
fn shown(written: &str) -> String {
    written.chars().filter(|character| !character.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests;
