//! What is weak, or without effect, in what holds for a user.

use super::{Explained, QrContent, Settings, TokenKind};
use crate::authorization::AuthorizationMode;
use crate::message::Channel;
use crate::otp::Algorithm;

/// A warning about one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The setting.
    pub setting: &'static str,
    /// What is wrong with it, as a sentence.
    pub told: String,
}

/// Warns of choices that are weak, that several apps cannot follow, or that have no effect.
#[must_use]
pub fn advice(settings: &Settings, explained: &[Explained<'_>]) -> Vec<Advice> {
    let mut all = Vec::new();
    let mut warn = |wrong: bool, setting: &'static str, told: &str| {
        if wrong {
            all.push(Advice { setting, told: told.to_owned() });
        }
    };
    let mode = settings.authorization_code;
    warn(
        mode == AuthorizationMode::None,
        "authorization_code",
        "Whoever reads the message can enrol: the link alone is enough.",
    );
    warn(
        mode == AuthorizationMode::SameMessage,
        "authorization_code",
        "Whoever reads the message can enrol: the code stands beside the link.",
    );
    warn(
        settings.provision_clients && mode == AuthorizationMode::OtherChannelOrOperator,
        "authorization_code",
        "A token that is pushed by itself has nobody to pass the code on: its user asks the helpdesk, which pushes the \
         token again.",
    );
    warn(
        settings.qr_content == QrContent::Seed,
        "qr_content",
        "The seed stays in the mailbox: whoever reads the mail at any time can show the token's codes.",
    );
    warn(
        settings.link_life_minutes.get() > 1440,
        "link_life_minutes",
        "NIST SP 800-63A lets a code that was sent by e-mail live for 24 hours at most.",
    );
    warn(
        settings.window_steps.get() > 2,
        "window_steps",
        "More than five codes are good at the same time, so that guessing is easier.",
    );
    warn(
        settings.look_ahead.get() > 50,
        "look_ahead",
        "More than fifty codes are good at the same time, so that guessing is easier.",
    );
    warn(
        settings.email_codes_authenticate,
        "email_codes_authenticate",
        "NIST SP 800-63B-4 does not accept e-mail for authentication out of band.",
    );
    warn(
        settings.token_algorithm != Algorithm::Sha1,
        "token_algorithm",
        "Several authenticator apps compute SHA1 whatever they are told: their codes will be wrong.",
    );
    warn(
        settings.token_digits.get() != 6,
        "token_digits",
        "Several authenticator apps show 6 digits whatever they are told: their codes will be wrong.",
    );
    warn(
        settings.token_kind == TokenKind::Totp && settings.token_period_seconds.get() != 30,
        "token_period_seconds",
        "Several authenticator apps count 30 seconds whatever they are told: their codes will be wrong.",
    );
    warn(
        settings.provision_clients && !settings.provision_tokens,
        "provision_clients",
        "This has no effect without provision_tokens: only tokens made by themselves are pushed by themselves.",
    );
    warn(
        settings.channels.all().contains(&Channel::Sms) && settings.sms_routes.all().is_empty(),
        "sms_routes",
        "No gateway is named for texts: the channel sms is passed over.",
    );
    let falls_back = settings.channel_fallback;
    warn(
        falls_back && settings.channels.all().len() == 1,
        "channel_fallback",
        "This has no effect: channels names one alone, and there is no next.",
    );
    warn(
        falls_back && settings.channels.all().len() > 1 && mode == AuthorizationMode::OtherChannelOrOperator,
        "channel_fallback",
        "The link may then come by the very channel by which its authorization code gets to the user: whoever reads that \
         one can enrol.",
    );
    for explained in explained {
        let tied = explained.policy.zip(explained.outranked.first());
        if let Some((first, (second, value))) = tied
            && first.precedence == second.precedence
            && *value != explained.value
        {
            let told = format!(
                "The policies {} and {} have the same precedence and differ; the first counts, because its id sorts first.",
                first.id, second.id
            );
            all.push(Advice { setting: explained.name, told });
        }
    }
    all
}
