//! What can be wrong with a template's HTML, and what its author can do.

/// What must not stand in the HTML of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HtmlFault {
    /// A `<` that begins no tag.
    #[error("this < begins no tag; write &lt; if readers should see it")]
    StrayLess,
    /// A tag without its `>`.
    #[error("this tag is not closed; write > at its end")]
    UnclosedTag,
    /// An attribute's value without its second quotation mark, or with a `<` in it.
    #[error("this quotation mark is not closed before the next <; close it, or write &lt; within a value")]
    UnclosedQuote,
    /// A comment without its end.
    #[error("this comment is not closed and would hide all that follows; write --> at its end")]
    UnclosedComment,
    /// A comment of which clients do not agree where it ends.
    #[error(
        "mail clients do not agree where this comment ends; write <!-- text --> without <!-- or --!> in it"
    )]
    OddComment,
    /// An element like `<style>` or `<title>` without its closing tag.
    #[error("<{0}> has no closing tag and would swallow what follows; write </{0}>")]
    UnclosedElement(String),
    /// Something in a tag that is no attribute.
    #[error("{0} is no attribute; write name=\"value\"")]
    BadAttribute(String),
    /// The same attribute twice in a tag.
    #[error("the attribute {0} is there twice, and the second one does not count; leave one out")]
    DuplicateAttribute(String),
    /// A wildcard in a tag, outside of quotation marks.
    #[error(
        "a value that is put in here could add attributes to the tag; \
         write the wildcard into a value with quotation marks, or outside of the tag"
    )]
    WildcardInTag,
    /// A tag that mail clients do not know.
    #[error("<{0}> is no tag that mail clients know; use plain ones such as <p>, <table>, <a> and <strong>")]
    UnknownTag(String),
    /// An image that is not in the mail.
    #[error(
        "an image must not be loaded from elsewhere: mail clients block it, and it tells who has opened the mail; \
         use [[QRCODE]] or [[LOGO]]"
    )]
    RemoteImage,
    /// A `data:` URL.
    #[error("mail clients drop data: URLs; use [[QRCODE]] or [[LOGO]] for a picture")]
    DataUrl,
    /// A script, or something that runs one.
    #[error("mail clients run no scripts and take a mail that has any for an attack; leave it out")]
    Script,
    /// A form or a part of one.
    #[error("mail clients drop forms or warn of them; let <a href=\"[[LINK]]\"> lead to a page that asks")]
    Form,
    /// Something that is embedded in a page.
    #[error("mail clients drop <{0}>, which brings in something from outside; leave it out")]
    Embedded(String),
    /// A `<link>`.
    #[error("mail clients load no <link>; write styles into <style> or style=\"…\"")]
    LinkElement,
    /// A `<meta http-equiv>`.
    #[error("<meta http-equiv> is dropped by mail clients, as the mail says itself what it is; leave it out")]
    MetaHttpEquiv,
    /// A link that leads to a place that no mail should name.
    #[error(
        "a link must begin with https://, mailto:, tel:, # or [[LINK]]; \
         others lead nowhere in a mail, or are not safe"
    )]
    BadLink,
    /// A property, value or rule that clients drop.
    #[error("Gmail or Outlook drops {0}, and the layout breaks; use tables, padding and plain values")]
    DroppedStyle(String),
    /// Something in a style that is no declaration.
    #[error("{0} is no declaration, and Gmail would drop the whole style for it; write property: value;")]
    BadDeclaration(String),
    /// A style that loads something.
    #[error(
        "a style must load nothing: mail clients block it, and it tells who has opened the mail; \
         use colours, and [[LOGO]] for a picture"
    )]
    LoadingStyle,
    /// A brace, bracket, quotation mark or comment in a style that is left open or closes nothing.
    #[error(
        "a brace, bracket, quotation mark or comment here has no counterpart, so that styles would get lost"
    )]
    UnfinishedStyle,
    /// A style sheet that is too long for Gmail.
    #[error("this <style> has more than 8,192 characters, and Gmail would drop it; shorten it")]
    LongStyle,
    /// A style sheet in the body.
    #[error("Gmail and Outlook read <style> in <head> only; move it there")]
    StyleInBody,
    /// More HTML than Gmail shows.
    #[error(
        "Gmail hides what comes after 102,400 bytes, and values need some of them; shorten the HTML to 100,000"
    )]
    TooLarge,
}

impl HtmlFault {
    /// Whether it is one in what only Outlook reads, too.
    pub(super) fn holds_for_outlook(&self) -> bool {
        matches!(
            self,
            Self::RemoteImage
                | Self::DataUrl
                | Self::Script
                | Self::LinkElement
                | Self::BadLink
                | Self::LoadingStyle
                | Self::WildcardInTag
                // What follows these is not looked at.
                | Self::UnclosedElement(_)
                | Self::UnclosedQuote
                | Self::UnclosedTag
        )
    }
}
