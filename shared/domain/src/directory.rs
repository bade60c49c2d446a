//! What a company's directory tells of its people.
//!
//! A directory tells each [`Change`] under its own id of the person and with a version that only grows. Events come
//! more than once and in any order: a change holds if its version is higher than the last one that held in the same
//! [`Lane`], and is nothing new otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use crate::ids::{DirectoryId, TenantId, UserId};
use crate::named::named;
use crate::plain::plain;
use crate::tenant::GroupName;
use crate::time::Timestamp;

/// E-mail addresses, or telephone numbers, that one event may name.
pub const MOST_ADDRESSES: usize = 5;
/// The highest version: the last whole number that every JSON reader keeps exactly (RFC 8259 section 6).
pub const MOST_VERSION: u64 = 9_007_199_254_740_991;

named! {
    /// In whose words a source tells.
    pub enum SourceKind {
        /// Otpost's own contract.
        Contract = "contract",
        /// Okta's log stream.
        Okta = "okta",
        /// Auth0's event stream.
        Auth0 = "auth0",
    }
}

/// What a directory calls a person for as long as it knows them: 1 to 256 characters, none of them a control
/// character. Case counts. It may hold a name, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(String);

/// What was given is no directory's id of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 256 characters without control characters")]
pub struct InvalidExternalId;

impl ExternalId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for ExternalId {
    type Error = InvalidExternalId;

    fn try_from(text: &str) -> Result<Self, InvalidExternalId> {
        plain(text, 256).map(Self).ok_or(InvalidExternalId)
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalId(…)")
    }
}

/// One thing that a directory tells of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of whom.
    pub external_id: ExternalId,
    /// From 1 to [`MOST_VERSION`], higher with each change of this person.
    pub version: u64,
    /// What.
    pub told: Told,
}

impl Change {
    /// What the version is to be compared with.
    #[must_use]
    pub const fn lane(&self) -> Lane<'_> {
        match &self.told {
            Told::Upserted(_) | Told::Disabled | Told::Deleted => Lane::Person,
            Told::JoinedGroup(group) | Told::LeftGroup(group) => Lane::Group(group),
        }
    }
}

/// Changes that follow one another: a newer one makes every older one of its lane void, and no other.
///
/// Joining a group is not a picture of the person. Were there one lane only, a membership that overtakes a
/// deactivation would make the deactivation void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane<'c> {
    /// Whether the person is there and what they are like.
    Person,
    /// Whether they are in this group. A source tells of groups either so or in [`Person::groups`].
    Group(&'c GroupName),
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The person is there, and like this.
    Upserted(Person),
    /// The person is there and must not get in.
    Disabled,
    /// The person is gone.
    Deleted,
    /// The person is now in this group, whatever other groups they are in.
    JoinedGroup(GroupName),
    /// The person is no longer in this group.
    LeftGroup(GroupName),
}

/// A person as their directory tells. `Debug` shows nothing that is personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The name under which the application knows them. It is the id of a user who is yet to be made.
    pub user_name: UserId,
    /// Whether they may get in.
    pub active: bool,
    /// How mails address them.
    pub display_name: Said<DisplayName>,
    /// Where mails go.
    pub email: Said<EmailAddress>,
    /// Where texts go.
    pub phone: Said<PhoneNumber>,
    /// The language of their messages.
    pub locale: Said<Locale>,
    /// All groups that they are in; `None` when the event says nothing of groups, so that they stay.
    pub groups: Option<BTreeSet<GroupName>>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = self.groups.as_ref().map(BTreeSet::len);
        f.debug_struct("Person")
            .field("active", &self.active)
            .field("groups", &groups)
            .finish_non_exhaustive()
    }
}

/// What an event says of one thing.
#[derive(Clone, PartialEq, Eq)]
pub enum Said<T> {
    /// Nothing: it stays as it is.
    Unsaid,
    /// It may well be this: to be taken where nothing is known.
    Perhaps(T),
    /// It is this.
    Is(T),
    /// There is none.
    Absent,
}

impl<T> Said<T> {
    /// What holds now, where `known` held before.
    #[must_use]
    pub fn over(self, known: Option<T>) -> Option<T> {
        match self {
            Self::Unsaid => known,
            Self::Perhaps(value) => known.or(Some(value)),
            Self::Is(value) => Some(value),
            Self::Absent => None,
        }
    }

    /// What a full picture says: this, or that there is none.
    #[must_use]
    pub fn fully(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Is)
    }
}

/// A directory has told of all its people. Nobody is deleted because a run did not tell of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRun {
    /// From 1 to [`MOST_VERSION`], higher with each run.
    pub version: u64,
    /// When the run began.
    pub started_at: Timestamp,
    /// Of how many people it told, where it says so.
    pub users: Option<u32>,
}

/// What is remembered of a person, so that what their directory tells may come twice, late and in any order: of each
/// thing that can change, the version that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The version of the last full telling.
    pub told: u64,
    /// The version of the last telling that they are gone. They are there if a full telling is newer.
    pub gone: u64,
    /// The version of what says whether they may get in.
    pub active_since: u64,
    /// Whether they may get in.
    pub active: bool,
    /// Memberships that were told one by one: since which version, and whether they are in.
    pub groups: BTreeMap<GroupName, (u64, bool)>,
    /// The user whom they became.
    pub user: Option<UserId>,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
}

/// What is to be done with a user, now that something holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it is only to be remembered.
    Nothing,
    /// They are like this; to be made if they are not there.
    Becomes(Person),
    /// They must not get in.
    SwitchedOff,
    /// They are gone.
    Departs,
    /// They are in this group, or not any more.
    Member(GroupName, bool),
}

impl Mark {
    /// Nothing was told yet.
    #[must_use]
    pub const fn new() -> Self {
        let groups = BTreeMap::new();
        Self { told: 0, gone: 0, active_since: 0, active: false, groups, user: None, version: 0 }
    }

    /// The groups that memberships told one by one come to.
    #[must_use]
    pub fn memberships(&self) -> BTreeSet<GroupName> {
        self.groups.iter().filter(|(_, (_, is_in))| *is_in).map(|(group, _)| group.clone()).collect()
    }

    /// What a change comes to; `None` when something newer holds already.
    #[must_use]
    pub fn after(mut self, change: &Change) -> Option<(Self, Effect)> {
        let version = change.version;
        let effect = match &change.told {
            Told::Upserted(person) if version > self.told => {
                self.told = version;
                self.may_get_in(person.active, version);
                // It may be older than what says that they are gone, or that they must not get in.
                if self.is_there() {
                    Effect::Becomes(Person { active: self.active, ..person.clone() })
                } else {
                    Effect::Nothing
                }
            }
            Told::Disabled if self.may_get_in(false, version) => {
                if self.is_there() {
                    Effect::SwitchedOff
                } else {
                    Effect::Nothing
                }
            }
            Told::Deleted if version > self.gone => {
                self.gone = version;
                if self.is_there() { Effect::Nothing } else { Effect::Departs }
            }
            Told::Upserted(_) | Told::Disabled | Told::Deleted => return None,
            Told::JoinedGroup(group) | Told::LeftGroup(group) => {
                let is_in = matches!(change.told, Told::JoinedGroup(_));
                if self.groups.get(group).is_some_and(|(held, _)| version <= *held) {
                    return None;
                }
                self.groups.insert(group.clone(), (version, is_in));
                Effect::Member(group.clone(), is_in)
            }
        };
        self.version += 1;
        Some((self, effect))
    }

    /// Whether the person is there, for all that was told.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        self.told > self.gone
    }

    fn may_get_in(&mut self, active: bool, version: u64) -> bool {
        let newer = version > self.active_since;
        if newer {
            self.active_since = version;
            self.active = active;
        }
        newer
    }
}

impl Default for Mark {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the events of a tenant's directory come from: AWS vouches for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Its id, which follows from account and source.
    pub id: DirectoryId,
    /// Whose people it tells of.
    pub tenant: TenantId,
    /// The account that puts its events, 12 digits.
    pub account: String,
    /// Their `source`.
    pub source: String,
    /// In whose words it tells.
    pub kind: SourceKind,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The last run over all people that it has told of.
    pub last_run: Option<SyncRun>,
}

/// One of several addresses of a person.
#[derive(Clone, Copy)]
pub struct Listed<'v> {
    /// The address as the directory has it.
    pub value: &'v str,
    /// What it is for, such as `work`.
    pub purpose: Option<&'v str>,
    /// Whether the directory marks it as the main one.
    pub primary: bool,
}

/// The address to use: the first good one of those marked primary, then of those for `purpose`, then of the others.
///
/// # Errors
/// When there are some and none is good: what is wrong with each, by its place in the list.
pub fn main_address<'v, T, E>(listed: &[Listed<'v>], purpose: &str) -> Result<Option<T>, Vec<(usize, E)>>
where
    T: TryFrom<&'v str, Error = E>,
{
    let rank = |address: &Listed<'_>| {
        let meant = address.purpose.is_some_and(|given| given.eq_ignore_ascii_case(purpose));
        if address.primary { 0 } else { 1 + u8::from(!meant) }
    };
    let mut ranked: Vec<_> = listed.iter().enumerate().collect();
    ranked.sort_by_key(|(_, address)| rank(address));
    let mut wrong = Vec::new();
    for (index, address) in ranked {
        match T::try_from(address.value) {
            Ok(good) => return Ok(Some(good)),
            Err(fault) => wrong.push((index, fault)),
        }
    }
    wrong.sort_by_key(|(index, _)| *index);
    if wrong.is_empty() { Ok(None) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed<'v>(value: &'v str, purpose: &'v str, primary: bool) -> Listed<'v> {
        Listed { value, purpose: Some(purpose), primary }
    }

    fn chosen(listed: &[Listed<'_>]) -> Result<Option<String>, Vec<usize>> {
        match main_address::<EmailAddress, _>(listed, "work") {
            Ok(found) => Ok(found.map(|address| address.expose().to_owned())),
            Err(wrong) => Err(wrong.into_iter().map(|(index, _)| index).collect()),
        }
    }

    #[test]
    fn the_main_address_is_the_primary_one_then_the_usual_one_then_the_first() {
        let home = listed("home@example.org", "home", false);
        let work = listed("work@example.org", "Work", false);
        let main = listed("main@example.org", "other", true);
        let bad = listed("nobody", "work", true);
        let is =
            |listed: &[Listed<'_>], address: &str| assert_eq!(chosen(listed), Ok(Some(address.to_owned())));
        is(&[home, work, main], "main@example.org");
        is(&[home, work], "work@example.org");
        is(&[home, Listed { purpose: None, ..home }], "home@example.org");
        is(&[home, bad], "home@example.org");
        is(&[bad, home, work], "work@example.org");
        assert_eq!(chosen(&[]), Ok(None));
        assert_eq!(chosen(&[listed("x", "home", false), bad]), Err(vec![0, 1]));
    }

    #[test]
    fn what_is_unsaid_stays() {
        assert_eq!(Said::Unsaid.over(Some(1)), Some(1));
        assert_eq!(Said::Perhaps(2).over(Some(1)), Some(1));
        assert_eq!(Said::Perhaps(2).over(None), Some(2));
        assert_eq!(Said::Is(2).over(Some(1)), Some(2));
        assert_eq!(Said::Absent.over(Some(1)), None::<i32>);
        assert!(Said::fully(Some(1)) == Said::Is(1) && Said::fully(None::<i32>) == Said::Absent);
    }

    #[test]
    fn a_membership_does_not_make_a_deactivation_void() {
        let group = GroupName::try_from("vpn").unwrap();
        let change = |told| Change { external_id: ExternalId::try_from("00u1").unwrap(), version: 1, told };
        assert_eq!(change(Told::Disabled).lane(), Lane::Person);
        assert_eq!(change(Told::JoinedGroup(group.clone())).lane(), Lane::Group(&group));
        assert_eq!(change(Told::LeftGroup(group.clone())).lane(), Lane::Group(&group));
    }

    fn person(active: bool, groups: &[&str]) -> Told {
        Told::Upserted(Person {
            user_name: UserId::try_from("jane").unwrap(),
            active,
            display_name: Said::Unsaid,
            email: Said::Unsaid,
            phone: Said::Unsaid,
            locale: Said::Unsaid,
            groups: Some(groups.iter().map(|name| GroupName::try_from(*name).unwrap()).collect()),
        })
    }

    fn told(version: u64, told: Told) -> Change {
        Change { external_id: ExternalId::try_from("00u1").unwrap(), version, told }
    }

    #[test]
    fn what_is_older_changes_nothing_and_what_is_newer_holds() {
        let (mark, effect) = Mark::new().after(&told(2, Told::Disabled)).unwrap();
        assert_eq!((effect, mark.is_there()), (Effect::Nothing, false));
        assert_eq!(mark.clone().after(&told(2, Told::Disabled)), None);
        let (mark, effect) = mark.after(&told(1, person(true, &[]))).unwrap();
        assert!(matches!(effect, Effect::Becomes(Person { active: false, .. })), "late, but who they are");
        let (mark, _) = mark.after(&told(4, person(true, &[]))).unwrap();
        let (mark, effect) = mark.after(&told(3, Told::Deleted)).unwrap();
        assert_eq!((effect, mark.is_there()), (Effect::Nothing, true), "they have come back since");
        let (mark, effect) = mark.after(&told(5, Told::Deleted)).unwrap();
        assert_eq!((effect, mark.is_there()), (Effect::Departs, false));
        assert_eq!(mark.clone().after(&told(4, person(true, &[]))), None);
        let (_, effect) = mark.after(&told(6, person(true, &[]))).unwrap();
        assert!(matches!(effect, Effect::Becomes(Person { active: true, .. })));
    }

    #[test]
    fn memberships_are_remembered_before_the_person_is_known() {
        let group = GroupName::try_from("vpn").unwrap();
        let (mark, effect) = Mark::new().after(&told(3, Told::JoinedGroup(group.clone()))).unwrap();
        assert_eq!(effect, Effect::Member(group.clone(), true));
        assert_eq!(mark.clone().after(&told(2, Told::LeftGroup(group.clone()))), None);
        assert_eq!(mark.memberships(), [group].into());
        assert!(!mark.is_there());
    }

    #[test]
    fn debug_shows_nothing_personal() {
        let person = Person {
            user_name: UserId::try_from("jane").unwrap(),
            active: true,
            display_name: Said::Is(DisplayName::try_from("Jane Doe").unwrap()),
            email: Said::Is(EmailAddress::try_from("jane@example.org").unwrap()),
            phone: Said::Absent,
            locale: Said::Unsaid,
            groups: Some(BTreeSet::new()),
        };
        let external_id = ExternalId::try_from("cn=Jane Doe").unwrap();
        let shown = format!("{:?}", Change { external_id, version: 7, told: Told::Upserted(person) });
        assert!(shown.contains("version: 7") && shown.contains("active: true"), "{shown}");
        assert!(!shown.to_lowercase().contains("jane") && !shown.contains("Doe"), "{shown}");
    }

    #[test]
    fn external_ids_are_plain() {
        assert_eq!(ExternalId::try_from(" S-1-5-21 ").unwrap().as_str(), "S-1-5-21");
        assert!(ExternalId::try_from("é".repeat(256).as_str()).is_ok());
        for bad in ["", " ", "a\u{0}b", &"a".repeat(257)] {
            assert!(ExternalId::try_from(bad).is_err(), "{bad}");
        }
        assert_ne!(ExternalId::try_from("A"), ExternalId::try_from("a"));
    }
}
