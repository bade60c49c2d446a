//! What is refused, what is not, and where.

use proptest::prelude::*;

use super::*;
use crate::template::builtin;

/// The faults of a text, each with what stands at its place.
fn found(html: &str) -> Vec<(HtmlFault, &str)> {
    let mut found = Vec::new();
    for (place, fault) in faults(html) {
        let rest = &html[place..];
        let end = rest.find([' ', '=', '>', '(', ':', '\n']).unwrap_or(rest.len());
        found.push((fault, &rest[..end]));
    }
    found
}

fn only(html: &str) -> HtmlFault {
    let mut found = faults(html);
    assert_eq!(found.len(), 1, "{html}: {found:?}");
    found.remove(0).1
}

fn dropped(what: &str) -> HtmlFault {
    HtmlFault::DroppedStyle(what.to_owned())
}

#[test]
fn the_built_in_messages_have_no_fault() {
    for kind in crate::template::TemplateKind::ALL {
        for language in builtin::LANGUAGES {
            assert_eq!(faults(&builtin::raw(*kind, language).unwrap().html), [], "{kind:?} {language}");
        }
    }
}

#[test]
fn all_faults_are_told_in_the_order_of_their_places() {
    let html = "<p onclick='x' STYLE='color:red;Position: absolute'>1 < 2</p>\n<IMG src=\"http://x\" alt=é>\
                <a href='http://x'>x</a><script>if (a < b) '<p style=\"position:fixed\">'</script><b";
    assert_eq!(
        found(html),
        [
            (HtmlFault::Script, "onclick"),
            (dropped("position"), "Position"),
            (HtmlFault::StrayLess, "<"),
            (HtmlFault::RemoteImage, "src"),
            (HtmlFault::BadLink, "href"),
            (HtmlFault::Script, "<script"),
            (HtmlFault::UnclosedTag, "<b"),
        ]
    );
}

#[test]
fn what_is_not_closed_is_told_where_it_begins() {
    assert_eq!(found("<p class=\"a\" <b>x</b>"), [(HtmlFault::UnclosedTag, "<p")]);
    assert_eq!(found("<p class=\"a>x</p><p>y</p>"), [(HtmlFault::UnclosedQuote, "\"a")]);
    assert_eq!(found("<p class='a"), [(HtmlFault::UnclosedTag, "<p"), (HtmlFault::UnclosedQuote, "'a")]);
    assert_eq!(only("a <!-- b <p onclick=x>"), HtmlFault::UnclosedComment);
    for odd in ["<!--> <script> -->", "<!---> -->", "<!-- --!> <script> -->", "<!-- <!-- -->"] {
        assert_eq!(only(odd), HtmlFault::OddComment, "{odd}");
    }
    assert_eq!(only("<title>x"), HtmlFault::UnclosedElement("title".to_owned()));
    assert_eq!(only("<style>p{}</styles>"), HtmlFault::UnclosedElement("style".to_owned()));
    assert_eq!(only("<title>x</titel><title>y</title>"), HtmlFault::UnclosedElement("title".to_owned()));
    for stray in ["a < b", "<", "</ b>", "<1>", "<<b>x</b>", "<?xml?>", "<![CDATA[x]]>", "<!x>"] {
        assert_eq!(only(stray), HtmlFault::StrayLess, "{stray}");
    }
    assert_eq!(faults("<!DOCTYPE html><p>1 &lt; 2 > 1</p><title>a < b</TITLE ><!-- <b -->"), []);
}

#[test]
fn attributes_are_well_formed() {
    assert_eq!(only("<p class=a Class=b>"), HtmlFault::DuplicateAttribute("class".to_owned()));
    assert_eq!(only("<p \"a\">"), HtmlFault::BadAttribute("\"a\"".to_owned()));
    assert_eq!(only("<p class=>"), HtmlFault::BadAttribute("class".to_owned()));
    assert_eq!(only("<p class=a'b>"), HtmlFault::BadAttribute("class".to_owned()));
    assert_eq!(faults("<td NOWRAP width = 10 class='a > b' align=\"left\"valign=top /><br/>"), []);
    // A name with a blank in it would add an attribute.
    assert_eq!(only("<p title=[[DISPLAYNAME]]>"), HtmlFault::WildcardInTag);
    assert_eq!(only("<p [[DISPLAYNAME]]>"), HtmlFault::WildcardInTag);
    assert_eq!(faults("<p title='[[DISPLAYNAME]]'>[[LINK]]</p>"), []);
}

#[test]
fn nothing_is_loaded() {
    for remote in [
        "<img src='https://x/y.png'>",
        "<img src='//x/y.png'>",
        "<img src=x.png>",
        "<img src>",
        "<img srcset='cid:x 2x'>",
        "<td background='https://x'>",
        "<picture>",
        "<source>",
        "<v:fill src='https://x'><image>",
    ] {
        let first = faults(remote).into_iter().map(|(_, fault)| fault).find(|f| *f == HtmlFault::RemoteImage);
        assert_eq!(first, Some(HtmlFault::RemoteImage), "{remote}");
    }
    assert_eq!(faults("<p title='see data:'>"), []);
    assert_eq!(only("<img src='cid:logo' alt='Data: none'>"), HtmlFault::RemoteImage);
    assert_eq!(only("<a href='[[LINK]]' ping='https://x'>x</a>"), HtmlFault::BadLink);
    assert_eq!(only("<img src='DATA:image/png;base64,x'>"), HtmlFault::DataUrl);
    assert_eq!(only("<a href='&#100;ata:text/html,x'>"), HtmlFault::DataUrl);
    assert_eq!(only("<p style='color:red;background:url(data:image/png;base64,x)'>"), HtmlFault::DataUrl);
    assert_eq!(only("<style>p{background:U\\52L('//x')}</style>"), HtmlFault::LoadingStyle);
    assert_eq!(only("<style><!-- @import 'x'; --></style>"), HtmlFault::LoadingStyle);
    assert_eq!(only("<link rel=stylesheet href='https://x'>"), HtmlFault::LinkElement);
    assert_eq!(only("<meta http-equiv=refresh content='1'>"), HtmlFault::MetaHttpEquiv);
}

#[test]
fn nothing_runs_or_asks() {
    for script in [
        "<a href='javascript:x'>",
        "<a href=' java&#115;cript:x'>",
        "<a href='java\tscript:x'>",
        "<a href='VBScript&colon;x'>",
        "<p style='width:expression(x)'>",
        "<p style='width:exp/**/ression&lpar;x)'>",
        "<p OnClick>",
        "<SCRIPT></SCRIPT>",
    ] {
        assert_eq!(only(script), HtmlFault::Script, "{script}");
    }
    for form in ["<form>", "<input>", "<button>", "<select>", "<textarea></textarea>"] {
        assert_eq!(only(form), HtmlFault::Form, "{form}");
    }
    let embedded = "iframe object embed applet video audio svg math canvas base";
    for name in embedded.split(' ') {
        assert_eq!(only(&format!("<{name}></{name}>")), HtmlFault::Embedded(name.to_owned()));
    }
    assert_eq!(only("<blink>"), HtmlFault::UnknownTag("blink".to_owned()));
    assert_eq!(
        found("<b<script></script>"),
        [(HtmlFault::UnclosedTag, "<b<script"), (HtmlFault::Script, "<script")]
    );
}

#[test]
fn links_lead_to_safe_places() {
    for link in ["https://x", "HTTPS://x", "mailto:a@b", "tel:+44", "#top", "[[LINK]]", "[[LINK]]?a=1&amp;b"]
    {
        assert_eq!(faults(&format!("<a href='{link}'>x</a>")), [], "{link}");
    }
    for link in
        ["http://x", "//x", "/x", "x", "", "https:x", "ftp://x", "[[TENANT]]", "file:x", "&#0;https://x"]
    {
        assert_eq!(only(&format!("<a href='{link}'>x</a>")), HtmlFault::BadLink, "{link}");
    }
}

#[test]
fn styles_that_clients_drop_are_refused() {
    for (css, what) in [
        ("position:absolute", "position"),
        ("posi&#116;ion:absolute", "position"),
        ("pos\\69 tion:absolute", "position"),
        ("display: FLEX !important", "display:flex"),
        ("display:-webkit-inline-flex", "display:-webkit-inline-flex"),
        ("display:grid", "display:grid"),
        ("--brand:red", "--brand"),
        ("color:var(--brand)", "var()"),
        ("width:calc(1px + 2px)", "calc()"),
        ("-webkit-transform:none", "-webkit-transform"),
        ("animation-name:x", "animation-name"),
        ("transition:all 1s", "transition"),
        ("filter:none", "filter"),
        ("clip-path:none", "clip-path"),
        ("object-fit:cover", "object-fit"),
        ("behavior:none", "behavior"),
        ("-moz-binding:none", "-moz-binding"),
    ] {
        assert_eq!(only(&format!("<p style='margin:0;{css}'>")), dropped(what), "{css}");
        if !css.contains('&') {
            assert_eq!(only(&format!("<style>@media print{{p{{{css}}}}}</style>")), dropped(what), "{css}");
        }
    }
    assert_eq!(only("<style>@font-face{font-family:x}</style>"), dropped("@font-face"));
    assert_eq!(only("<style>@-webkit-keyframes x{from{color:red}}</style>"), dropped("@-webkit-keyframes"));
}

#[test]
fn styles_that_clients_keep_are_not() {
    let html = "<p style='max-width:1px;border-radius:1px;margin:0 auto!important;padding:0;display:none;float:left;\
                background-position:0 0;list-style-position:inside;text-transform:uppercase;\
                color:rgb(1,2,3);font-family:\"Position: fixed; (\",serif;mso-padding-alt:0'>\
                <style>/* position:fixed } */ a:hover{content:\"}\\\"{;\"} .position\\:fixed, .grid > p{color:red}\
                @media (prefers-color-scheme: dark) and (max-width:1px){:root{color-scheme:light dark}}\
                @supports (display:grid){p{color:red}}</style>";
    assert_eq!(faults(html), []);
}

#[test]
fn style_sheets_are_whole_and_short_enough() {
    for (css, what) in [("color red", "color red"), ("[[LINK]]", "[[link]]"), ("< b:red", "< b:red")] {
        let bad = HtmlFault::BadDeclaration(what.to_owned());
        assert_eq!(found(&format!("<style>p{{margin:0;{css};*zoom:1;;}}</style>"))[0].0, bad);
    }
    for broken in
        ["p{color:red", "p{color:red}}", "p{color:rgb(1}", "/* p{}", "p{content:'x}", "p{content:'x\n'}"]
    {
        let faults = faults(&format!("<style>{broken}</style>"));
        assert!(faults.iter().all(|(_, fault)| *fault == HtmlFault::UnfinishedStyle), "{broken}: {faults:?}");
        assert!(!faults.is_empty(), "{broken}");
    }
    assert_eq!(faults(&format!("<style>{}</style>", "é{}".repeat(2_730) + "{}")), []);
    assert_eq!(only(&format!("<style>{}</style>", "é{}".repeat(2_731))), HtmlFault::LongStyle);
    assert_eq!(only("<body><style>p{color:red}</style>"), HtmlFault::StyleInBody);
}

#[test]
fn conditional_comments_may_hold_what_only_outlook_knows() {
    let html = "<!--[if mso]><xml><o:x/></xml><v:rect href='[[LINK]]' style='position:absolute'><v:fill color='x'>\
                <style>v\\:*{behavior:url(#default#VML);}</style><td><![endif]-->\
                <!--[if !mso]><!--><p>x</p><!--<![endif]--><![if !mso]><p>y</p><![endif]>";
    assert_eq!(faults(html), []);
    for (outlook, fault) in [
        ("<script>x</script>", HtmlFault::Script),
        ("<v:fill src='https://x'>", HtmlFault::RemoteImage),
        ("<style>p{background:url(https://x)}</style>", HtmlFault::LoadingStyle),
        ("<v:rect href='http://x'>", HtmlFault::BadLink),
        ("<td title=[[TENANT]]>", HtmlFault::WildcardInTag),
    ] {
        assert_eq!(only(&format!("<!--[if (gte mso 9)|(IE)]>{outlook}<![endif]-->")), fault, "{outlook}");
    }
    // What it reveals is as open as anything.
    assert_eq!(only("<!--[if !mso]><!--><script></script><!--<![endif]-->"), HtmlFault::Script);
}

#[test]
fn places_are_told_apart() {
    let html = "<!doctype html><title>T</title><style>S</style><!--[if mso]><b>C<![endif]-->\
                x<a href=\"H\" title='W' id=\"V\" class=U style='S'>x</a B>x";
    let places = Places::of(html);
    for (byte, character) in html.char_indices() {
        let expected = match character {
            'x' if !html[..byte].ends_with("<!doct") => Place::Text,
            'T' => Place::Raw,
            'S' => Place::Style,
            'C' => Place::Comment,
            'H' => Place::Address,
            'W' => Place::Words,
            'V' => Place::AttributeValue,
            'U' | 'B' => Place::Tag,
            _ => continue,
        };
        assert_eq!(places.at(byte), expected, "{byte} {character}");
    }
    assert_eq!((places.at(html.len()), Places::of("").at(5)), (Place::Text, Place::Text));
    let start = html.find("<a").unwrap();
    assert_eq!((places.at(start - 1), places.at(start)), (Place::Text, Place::Tag));
}

#[test]
fn messages_tell_what_to_do() {
    assert_eq!(
        only("<img src='x'>").to_string(),
        "an image must not be loaded from elsewhere: mail clients block it, and it tells who has opened the mail; \
         use [[QRCODE]] or [[LOGO]]"
    );
    assert_eq!(only("<p").to_string(), "this tag is not closed; write > at its end");
    assert_eq!(
        only("<p style='position:fixed'>").to_string(),
        "Gmail or Outlook drops position, and the layout breaks; use tables, padding and plain values"
    );
    let long = only(&format!("<x{}>", "y".repeat(500))).to_string();
    assert!(long.len() < 150, "{long}");
}

/// Pieces that may stand anywhere in text.
const ALLOWED: &[&str] = &[
    "Grüße, ",
    "1 &lt; 2 > 1 ",
    "[[LINK]]",
    "]] [ ",
    "<p class=\"a\">",
    "</p>",
    "<!-- a <b> ' \" -->",
    "<!--[if mso]><table><tr><td><![endif]-->",
    "<a href=\"[[LINK]]\" target='_blank'>x</a>",
    "<a href=\"https://x/?a=1&amp;b='2'\">",
    "<table width=100% cellspacing='0'><tr>",
    "<img width='1' alt=\"a > b\">",
    "<br/>",
    "<div style=\"margin:0;font-family:'A B',serif;display:none\">",
    "<style>\n@media (max-width:9px){.a>.b{color:red!important}}\n</style>",
    "<title>a < b</title>",
    "\r\n\t",
];

/// Pieces that may stand nowhere.
const FORBIDDEN: &[&str] = &[
    "<img src=\"http://x\">",
    "<IMG SRC=//x>",
    "<img src='data:image/png,x'>",
    "<img srcset=x>",
    "<td background=\"x\">",
    "<script>x</script>",
    "<script>",
    "<p onload=x>",
    "<a href=\"java&#115;cript:x\">",
    "<a href='http://x'>",
    "<form>",
    "<textarea>",
    "<iframe src='cid:x'>",
    "<svg/>",
    "<link>",
    "<meta http-equiv='x'>",
    "<p style='position:fixed'>",
    "<p style=\"color:red;background:url('x')\">",
    "<style>@import 'x';</style>",
    "<style>p{display:flex}</style>",
    "<style>p{</style>",
    "<style",
    "<p class=\"",
    "<p class='x",
    "<p a a>",
    "<p a=[[LINK]]>",
    "< ",
    "<!--",
    "<!-->",
    "<foo>",
    "<!--[if mso]><img src='http://x'><![endif]-->",
];

proptest! {
    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,200}") {
        let places = Places::of(&text);
        for (place, _) in faults(&text) {
            prop_assert!(text.is_char_boundary(place));
            places.at(place);
        }
    }

    #[test]
    fn any_markup_has_an_answer(
        text in "([<>/!='\"&;#x(){}@: \n\\-]|--|<!--|-->|\\[if|\\]>|<style|</style>|style=|url\\(|/\\*|\\\\|p|é){0,60}",
    ) {
        let found = faults(&text);
        prop_assert!(found.is_sorted_by_key(|(place, _)| *place));
        for (place, fault) in found {
            prop_assert!(text.is_char_boundary(place));
            prop_assert!(!fault.to_string().is_empty());
        }
        let places = Places::of(&text);
        prop_assert!(places.0.is_sorted_by_key(|(range, _)| range.start));
        prop_assert!(places.0.windows(2).all(|two| two[0].0.end <= two[1].0.start));
    }

    #[test]
    fn what_is_forbidden_is_found_among_what_is_not(
        before in proptest::collection::vec(proptest::sample::select(ALLOWED), 0..8),
        after in proptest::collection::vec(proptest::sample::select(ALLOWED), 0..8),
        piece in proptest::sample::select(FORBIDDEN),
    ) {
        let (before, after) = (before.concat(), after.concat());
        prop_assert_eq!(faults(&format!("{before}{after}")), []);
        let found = faults(&format!("{before}{piece}{after}"));
        let within = before.len()..before.len() + piece.len();
        prop_assert!(found.iter().any(|(place, _)| within.contains(place)), "{:?}", found);
    }
}
