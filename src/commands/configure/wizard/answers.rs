//! Answers to the wizard's questions, and the state before the first one.

use super::source::Source;
use crate::commands::configure::arguments::NamedHost;
use crate::commands::configure::place::{self, Place};
use crate::commands::configure::setup::{KeyChoice, Setup};
use crate::commands::configure::{document, value};
use crate::config::Config;
use crate::config::credentials::{Credentials, Secret};
use crate::instances::provider::answer::Listed;

/// State before the first question.
pub(super) struct Present {
    pub text: String,
    pub config: Config,
    pub credentials: Credentials,
}

impl Present {
    /// Returns the value of a key as text.
    pub fn written(&self, key: &str) -> Option<String> {
        let Ok(Place::Key(segments, _)) = place::parse(key) else { return None };
        document::get(&self.text, &segments).ok()?.map(|item| value::plain(&item))
    }
}

/// Answers so far. Without `Debug`: secrets are in it.
#[derive(Default)]
pub(super) struct Answers {
    /// Where the instances come from.
    pub source: Option<Source>,
    /// The provider's new API key; `None` keeps the stored one.
    pub api_key: Option<Secret>,
    /// True if the provider can be enabled: it has a key.
    pub has_provider: bool,
    /// Instances that the provider lists.
    pub listed: Vec<Listed>,
    /// The instance with an address.
    pub instance: Option<NamedHost>,
    /// The private key.
    pub key: KeyChoice,
    /// User name on the instances.
    pub user: Option<String>,
    /// True if a status daemon is wanted that has the token of all instances.
    pub has_daemon: bool,
    /// Its new token; `None` keeps the stored one, or creates one.
    pub daemon_token: Option<Secret>,
}

impl Answers {
    /// Returns true if the user name came with the address, or comes from the provider.
    pub fn user_is_given(&self) -> bool {
        match self.source {
            Some(Source::Address) => self.instance.as_ref().is_some_and(|it| it.address.user.is_some()),
            Some(Source::Cloud(_) | Source::Other(_)) => self.machine().is_some_and(|it| it.user.is_some()),
            Some(Source::Nothing) | None => false,
        }
    }

    /// Returns the instance of the provider to log in to.
    pub fn machine(&self) -> Option<&Listed> {
        use crate::instances::inventory::Status;
        let reached = |it: &&Listed| it.status == Status::Active && it.host.is_some() && it.fault().is_none();
        self.listed.iter().find(reached)
    }

    /// Returns what the answers set, without the secrets.
    pub fn settings(&self) -> Setup {
        let provider = match &self.source {
            Some(Source::Cloud(cloud)) if self.has_provider => Some(cloud.name().to_owned()),
            _ => None,
        };
        Setup {
            key: self.key.clone(),
            user: self.user.clone(),
            instances: self
                .instance
                .iter()
                .filter(|_| self.source == Some(Source::Address))
                .cloned()
                .collect(),
            provider,
            ..Setup::default()
        }
    }

    /// Returns what the answers set.
    pub fn into_setup(self, present: &Present) -> Setup {
        let settings = self.settings();
        let secret = match self.source {
            Some(Source::Cloud(cloud)) => Some(cloud.secret()),
            _ => None,
        };
        Setup {
            api_keys: secret.zip(self.api_key).into_iter().collect(),
            // The first set-up creates a token in any case, so that a daemon can be given it later.
            mentions_token: self.has_daemon || present.credentials.daemon_token.is_some(),
            daemon_token: self.daemon_token,
            ..settings
        }
    }
}
