//! The design of the built-in HTML: one layout, and what each plain tag of a fragment becomes in it.
//!
//! Mail programs want styles on each tag, and tables where Outlook for Windows ignores the padding of
//! anything else. So that the texts stay readable, they are written without them.

/// The page around each text.
const LAYOUT: &str = include_str!("layout.html");

/// A tag of a fragment, with its end, and what stands for both in the mail.
struct Element {
    written: [&'static str; 2],
    becomes: [&'static str; 2],
}

/// The end of a box, with the room below it: a table has no margin in Outlook for Windows.
const BOX_END: &str = r#"</td></tr><tr><td height="16" style="height:16px;font-size:1px;line-height:16px">&nbsp;</td></tr></table>"#;

const ELEMENTS: &[Element] = &[
    Element {
        written: ["<h1>", "</h1>"],
        becomes: [
            r#"<h1 class="words" style="margin:0 0 16px;font-size:22px;line-height:1.3;color:#171b21">"#,
            "</h1>",
        ],
    },
    Element {
        written: ["<p>", "</p>"],
        becomes: [r#"<p class="words" style="margin:0 0 16px;color:#171b21">"#, "</p>"],
    },
    // Less important words.
    Element {
        written: [r#"<p class="small">"#, "</p>"],
        becomes: [r#"<p class="quiet" style="margin:0 0 16px;font-size:14px;color:#56606e">"#, "</p>"],
    },
    // What closes a message, below a line.
    Element {
        written: [r#"<p class="foot">"#, "</p>"],
        becomes: [
            r#"<p class="quiet" style="margin:24px 0 16px;padding:16px 0 0;border-top:1px solid #dde2e9;font-size:14px;color:#56606e">"#,
            "</p>",
        ],
    },
    // What a reader must not overlook.
    Element {
        written: [r#"<p class="alert">"#, "</p>"],
        becomes: [
            r##"<table role="presentation" width="100%" cellspacing="0" cellpadding="0" border="0"><tr><td class="alert" bgcolor="#fdf1f0" style="padding:12px 16px;background-color:#fdf1f0;border-left:4px solid #b3261e;color:#171b21">"##,
            BOX_END,
        ],
    },
    // A code by itself.
    Element {
        written: [r#"<p class="code">"#, "</p>"],
        becomes: [
            r##"<table role="presentation" width="100%" cellspacing="0" cellpadding="0" border="0"><tr><td class="code mono" bgcolor="#eef2f8" style="text-align:center;padding:14px 4px 14px 10px;background-color:#eef2f8;border:1px solid #c9d3e0;border-radius:8px;font-family:Consolas,Menlo,monospace;font-size:32px;line-height:1.3;letter-spacing:6px;font-weight:bold;color:#171b21">"##,
            BOX_END,
        ],
    },
    // A password by itself: it may be long.
    Element {
        written: [r#"<p class="password">"#, "</p>"],
        becomes: [
            r##"<table role="presentation" width="100%" cellspacing="0" cellpadding="0" border="0"><tr><td class="code mono" bgcolor="#eef2f8" style="text-align:center;padding:14px 12px;background-color:#eef2f8;border:1px solid #c9d3e0;border-radius:8px;font-family:Consolas,Menlo,monospace;font-size:22px;line-height:1.3;letter-spacing:1px;word-break:break-all;font-weight:bold;color:#171b21">"##,
            BOX_END,
        ],
    },
    // A code with words: one paragraph, so that it can go away as a whole.
    Element {
        written: [r#"<p class="box">"#, "</p>"],
        becomes: [
            r#"<p class="code" style="margin:0 0 16px;padding:12px 16px;background-color:#eef2f8;border:1px solid #c9d3e0;border-radius:8px;text-align:center;color:#171b21">"#,
            "</p>",
        ],
    },
    Element {
        written: [r#"<strong class="code">"#, "</strong>"],
        becomes: [
            r#"<strong class="mono" style="font-family:Consolas,Menlo,monospace;font-size:24px;letter-spacing:2px">"#,
            "</strong>",
        ],
    },
    Element {
        written: ["<ol>", "</ol>"],
        becomes: [r#"<ol class="words" style="margin:0 0 24px;padding:0 0 0 24px;color:#171b21">"#, "</ol>"],
    },
    Element { written: ["<li>", "</li>"], becomes: [r#"<li style="margin:0 0 8px">"#, "</li>"] },
    // The border shows the button where its colour is that of the card: one of the two differs from it.
    Element {
        written: [r#"<a class="button" href="[[LINK]]">"#, "</a>"],
        becomes: [
            r#"<table role="presentation" cellspacing="0" cellpadding="0" border="0"><tr><td bgcolor="[[COLOUR]]" style="background-color:[[COLOUR]];border:1px solid [[ONCOLOUR]];border-radius:8px;mso-padding-alt:14px 28px"><a href="[[LINK]]" target="_blank" rel="noopener" style="display:inline-block;padding:14px 28px;color:[[ONCOLOUR]];font-weight:bold;text-decoration:none">"#,
            "</a></td></tr></table>",
        ],
    },
    // The picture stays on white, whatever the colours around it: cameras want it so.
    Element {
        written: [r#"<div class="qr">"#, "</div>"],
        becomes: [
            r##"<table role="presentation" cellspacing="0" cellpadding="0" border="0"><tr><td style="padding:24px 0 12px"><table role="presentation" cellspacing="0" cellpadding="0" border="0"><tr><td bgcolor="#ffffff" style="padding:8px;background-color:#ffffff;border:1px solid #dde2e9;border-radius:8px;font-size:14px;color:#171b21">"##,
            "</td></tr></table></td></tr></table>",
        ],
    },
    Element {
        written: [r#"<a class="link" href="[[LINK]]">"#, "</a>"],
        becomes: [
            r#"<a class="link" href="[[LINK]]" target="_blank" rel="noopener" style="color:#1a56c4;word-break:break-all">"#,
            "</a>",
        ],
    },
];

/// What lists of mails show beside the subject. It is hidden in the mail itself.
const PREHEADER: Element = Element {
    written: [r#"<p class="preheader">"#, "</p>"],
    becomes: [
        r#"<div aria-hidden="true" style="display:none;max-height:0;overflow:hidden;mso-hide:all;font-size:1px;line-height:1px;color:#f2f4f7">"#,
        "</div>",
    ],
};

/// Invisible characters behind the preheader, so that lists and notifications do not go on with the text
/// of the mail and show its code.
const FILLER: &str = "&#8199;&#847; &#8199;&#847; &#8199;&#847; &#8199;&#847; &#8199;&#847; &#8199;&#847; &#8199;&#847; &#8199;&#847;\n";
const FILLER_LINES: usize = 15;

/// The whole HTML of a mail, of the fragment that makes its text.
pub(super) fn page(lang: &str, fragment: &str) -> String {
    let title = between(fragment, "<h1>", "</h1>").unwrap_or_default();
    let [open, close] = PREHEADER.written;
    let hidden = between(fragment, open, close).unwrap_or_default();
    let shown = fragment.replacen(&format!("{open}{hidden}{close}\n"), "", 1);
    let [open, close] = PREHEADER.becomes;
    let preheader = format!("{open}{hidden}\n{}{close}", FILLER.repeat(FILLER_LINES));
    LAYOUT
        .replace("{{lang}}", lang)
        .replace("{{title}}", title)
        .replace("{{preheader}}", &preheader)
        .replace("{{content}}", styled(&shown).trim_end())
}

/// The fragment with each plain tag in its look.
fn styled(fragment: &str) -> String {
    ELEMENTS.iter().fold(fragment.to_owned(), |html, element| element.set(&html))
}

impl Element {
    fn set(&self, html: &str) -> String {
        let ([open, close], [start, end]) = (self.written, self.becomes);
        let mut out = String::with_capacity(html.len() * 2);
        let mut rest = html;
        while let Some((before, opened)) = rest.split_once(open) {
            // An element holds none of its own kind, so the next end is its own.
            let (inner, after) = opened.split_once(close).unwrap_or((opened, ""));
            for part in [before, start, inner, end] {
                out.push_str(part);
            }
            rest = after;
        }
        out + rest
    }
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    Some(text.split_once(open)?.1.split_once(close)?.0)
}
