//! A provider that says what it is told to say.

use std::sync::Mutex;

use otpost_domain::document::{Faults, Place, Value};
use otpost_domain::gateway::{Kind, Settings};
use otpost_domain::outcome::{Outcome, Report, Said};

use crate::provider::{Letter, Order, OutgoingEmail, Provider};

/// A request that reached the provider.
#[derive(Clone, Debug)]
pub struct Asked {
    /// By whose settings.
    pub settings: Settings,
    /// Whether there were credentials.
    pub with_credentials: bool,
    /// What was to be sent.
    pub letter: Letter,
    /// What the provider may know the request by.
    pub reference: String,
    /// Where it was to tell what becomes of it.
    pub receipts: Option<String>,
}

/// A provider of one kind that answers the same to every request, and remembers them.
#[derive(Debug)]
pub struct ScriptedProvider {
    kind: Kind,
    own: Option<Settings>,
    says: Mutex<Report>,
    asked: Mutex<Vec<Asked>>,
}

impl ScriptedProvider {
    /// A provider of `kind` that takes everything. One of the kind `ses` has the deployment's own account.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let own = (kind == Kind::Ses).then(|| {
            let from = Value::object([("address", Value::text("otp@example.org"))]);
            let written = Value::object([("from", from)]);
            Settings::read(kind, &written, &Place::root(), &mut Faults::default()).expect("settings")
        });
        let says = Mutex::new(Report::accepted("accepted-1", Said::default()));
        Self { kind, own, says, asked: Mutex::default() }
    }

    /// The deployment's own Amazon SES, which takes everything.
    #[must_use]
    pub fn ses() -> Self {
        Self::of(Kind::Ses)
    }

    /// The same with another answer.
    #[must_use]
    pub fn that_says(self, outcome: Outcome, why: &str) -> Self {
        self.now_says(Report::of(outcome, why, Said::default()));
        self
    }

    /// Answers so from now on.
    pub fn now_says(&self, report: Report) {
        *self.says.lock().expect("not poisoned") = report;
    }

    /// The requests that have reached it.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// Takes the requests that reached it.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("not poisoned"))
    }

    /// The one mail that reached it.
    pub fn mail(&self) -> OutgoingEmail {
        let mut asked = self.take();
        assert_eq!(asked.len(), 1, "requests");
        let Letter::Email(mail) = asked.remove(0).letter else { unreachable!("a text, not a mail") };
        mail
    }
}

impl Provider for ScriptedProvider {
    async fn send(&self, order: &Order<'_>) -> Report {
        self.asked.lock().expect("not poisoned").push(Asked {
            settings: order.settings.clone(),
            with_credentials: order.credentials.is_some(),
            letter: order.letter.clone(),
            reference: order.reference(),
            receipts: order.receipts.map(str::to_owned),
        });
        self.says.lock().expect("not poisoned").clone()
    }

    fn own(&self) -> Option<&Settings> {
        self.own.as_ref()
    }

    fn kind(&self) -> Kind {
        self.kind
    }
}
