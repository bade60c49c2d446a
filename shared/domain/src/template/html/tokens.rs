//! Cuts HTML into its tags, comments and raw elements, and tells what is not closed.
//!
//! It is stricter than clients are: what they would mend, each in its own way, is a fault. After a fault it
//! goes on where the author most likely did.

use core::ops::Range;

use super::HtmlFault;

/// What HTML consists of, beside its text. A range is in bytes of the whole.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Tag(Tag<'a>),
    /// What stands between the two tags of an element in which there are no tags.
    Raw {
        name: String,
        range: Range<usize>,
    },
    Comment {
        range: Range<usize>,
        /// What Outlook reads, between `[if …]>` and `<![endif]`.
        conditional: Option<Range<usize>>,
    },
}

#[derive(Debug)]
pub(super) struct Tag<'a> {
    /// In lower case.
    pub(super) name: String,
    pub(super) closing: bool,
    pub(super) range: Range<usize>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

#[derive(Debug)]
pub(super) struct Attribute<'a> {
    /// In lower case.
    pub(super) name: String,
    pub(super) start: usize,
    pub(super) value: Option<Value<'a>>,
}

#[derive(Debug)]
pub(super) struct Value<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
    pub(super) quoted: bool,
}

/// The elements whose content is no markup.
const RAW: [&str; 8] = ["style", "title", "script", "textarea", "xmp", "noembed", "noframes", "iframe"];

/// The tokens of a stretch, and what is wrong with their form.
pub(super) fn tokens(html: &str, stretch: Range<usize>) -> (Vec<Token<'_>>, Vec<(usize, HtmlFault)>) {
    let html = html.get(..stretch.end).unwrap_or_default();
    let mut scanner =
        Scanner { html, at: stretch.start, tokens: Vec::new(), faults: Vec::new(), endless: Vec::new() };
    while let Some(next) = scanner.rest().find('<') {
        scanner.at += next;
        scanner.markup();
    }
    (scanner.tokens, scanner.faults)
}

struct Scanner<'a> {
    html: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
    faults: Vec<(usize, HtmlFault)>,
    /// Raw elements that are known to have no closing tag any more, so that nobody searches for it again.
    endless: Vec<String>,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        self.html.get(self.at..).unwrap_or_default()
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, goes_on: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|character| !goes_on(character)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// What begins with the `<` that comes next.
    fn markup(&mut self) {
        let rest = self.rest();
        let tag = rest.strip_prefix("</").or(rest.strip_prefix('<')).unwrap_or_default();
        if rest.starts_with("<!--") {
            self.comment();
        } else if ["<!doctype", "<![if", "<![endif]"].iter().any(|start| begins(rest, start)) {
            self.declaration();
        } else if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.tag();
        } else {
            self.faults.push((self.at, HtmlFault::StrayLess));
            self.at += "<".len();
        }
    }

    fn declaration(&mut self) {
        let start = self.at;
        self.at += "<!".len();
        self.take(|character| !matches!(character, '<' | '>'));
        if self.next() == Some('>') {
            self.at += ">".len();
        } else {
            self.faults.push((start, HtmlFault::UnclosedTag));
        }
        self.tokens.push(Token::Comment { range: start..self.at, conditional: None });
    }

    fn comment(&mut self) {
        let start = self.at;
        let inner = start + "<!--".len();
        let body = self.html.get(inner..).unwrap_or_default();
        let Some(length) = body.find("-->") else {
            // It hides all that follows.
            self.faults.push((start, HtmlFault::UnclosedComment));
            self.at = self.html.len();
            self.tokens.push(Token::Comment { range: start..self.at, conditional: None });
            return;
        };
        // Clients do not agree where such comments end.
        let hidden = body.get(..length).unwrap_or_default();
        let odd = ["<!--", "--!>"].iter().any(|mark| hidden.contains(mark));
        // What comes behind the end of a condition is shown by some and not by others.
        let unended =
            begins(hidden, "[if") && !hidden.trim_end().ends_with("<![endif]") && !hidden.ends_with("<!");
        if odd || unended || body.starts_with('>') || body.starts_with("->") {
            self.faults.push((start, HtmlFault::OddComment));
        }
        let conditional = hidden.find("]>").filter(|_| begins(hidden, "[if")).map(|condition| {
            let content = condition + "]>".len();
            inner + content..inner + hidden.rfind("<![").filter(|end| *end >= content).unwrap_or(length)
        });
        self.at = inner + length + "-->".len();
        self.tokens.push(Token::Comment { range: start..self.at, conditional });
    }

    fn tag(&mut self) {
        let start = self.at;
        self.at += "<".len();
        let closing = self.next() == Some('/');
        self.take(|character| character == '/');
        let name = self.take(|character| !ends_name(character)).to_ascii_lowercase();
        let mut attributes = Vec::new();
        let closed = loop {
            self.take(|character| character.is_ascii_whitespace() || character == '/');
            match self.next() {
                None | Some('<') => break false,
                Some('>') => break true,
                Some(_) => attributes.push(self.attribute()),
            }
        };
        if closed {
            self.at += ">".len();
        } else {
            self.faults.push((start, HtmlFault::UnclosedTag));
        }
        let range = start..self.at;
        let raw = RAW.contains(&name.as_str()) && closed && !closing;
        self.tokens.push(Token::Tag(Tag { name: name.clone(), closing, range, attributes }));
        if raw {
            self.raw(start, name);
        }
    }

    fn attribute(&mut self) -> Attribute<'a> {
        let start = self.at;
        // A name may begin with anything, even with an equals sign.
        self.at += self.next().map_or(0, char::len_utf8);
        self.take(|character| !ends_name(character) && character != '=');
        let name = self.html.get(start..self.at).unwrap_or_default().to_ascii_lowercase();
        let after = self.at;
        self.take(|character| character.is_ascii_whitespace());
        let value = if self.next() == Some('=') {
            self.at += "=".len();
            self.take(|character| character.is_ascii_whitespace());
            self.value()
        } else {
            self.at = after;
            None
        };
        Attribute { name, start, value }
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let quote = self.next().filter(|character| matches!(character, '"' | '\''));
        let Some(quote) = quote else {
            let start = self.at;
            let text = self.take(|c| !c.is_ascii_whitespace() && !matches!(c, '<' | '>'));
            return Some(Value { text, start, quoted: false });
        };
        let start = self.at + quote.len_utf8();
        self.at = start;
        let text = self.take(|character| !matches!(character, '<') && character != quote);
        if self.next() == Some(quote) {
            self.at += quote.len_utf8();
            return Some(Value { text, start, quoted: true });
        }
        // The quotation mark was forgotten, most likely before the next end of a tag.
        self.faults.push((start - quote.len_utf8(), HtmlFault::UnclosedQuote));
        self.at = start;
        self.take(|character| !matches!(character, '<' | '>'));
        None
    }

    /// The content of a raw element, up to its closing tag.
    fn raw(&mut self, tag: usize, name: String) {
        let rest = self.rest();
        let closes = |(at, _): &(usize, &str)| {
            let after = rest.get(at + "</".len()..).unwrap_or_default();
            let next = after.get(name.len()..).and_then(|end| end.chars().next());
            begins(after, &name) && next.is_none_or(ends_name)
        };
        let end = if self.endless.contains(&name) { None } else { rest.match_indices("</").find(closes) };
        if let Some((length, _)) = end {
            // With its own name in it, it most likely should have ended before.
            let mut inner = rest.get(..length).unwrap_or_default().split('<').skip(1);
            if inner.any(|after| begins(after.strip_prefix('/').unwrap_or(after), &name)) {
                self.faults.push((tag, HtmlFault::UnclosedElement(name.clone())));
            }
            let range = self.at..self.at + length;
            self.at = range.end;
            self.tokens.push(Token::Raw { name, range });
        } else {
            self.faults.push((tag, HtmlFault::UnclosedElement(name.clone())));
            if !self.endless.contains(&name) {
                self.endless.push(name);
            }
        }
    }
}

fn ends_name(character: char) -> bool {
    character.is_ascii_whitespace() || matches!(character, '/' | '<' | '>')
}

/// Whether a text begins with this one, in whatever case.
fn begins(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}
