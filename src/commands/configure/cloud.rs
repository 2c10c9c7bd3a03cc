//! Providers whose API keys soong stores.

use super::place::SecretName;
use crate::instances::rest::service::Service;
use crate::instances::{lambda, runpod};

/// A provider whose API key soong stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Lambda Cloud.
    Lambda,
    /// RunPod.
    RunPod,
}

impl Cloud {
    /// All of them, in the order of menus.
    pub const ALL: [Self; 2] = [Self::Lambda, Self::RunPod];

    fn service(self) -> &'static Service {
        match self {
            Self::Lambda => &lambda::SERVICE,
            Self::RunPod => &runpod::SERVICE,
        }
    }

    /// Returns the name of the provider, which is also that of its table.
    pub fn name(self) -> &'static str {
        self.service().table
    }

    /// Returns its name for people.
    pub fn title(self) -> &'static str {
        self.service().title
    }

    /// Returns the secret that is its API key.
    pub fn secret(self) -> SecretName {
        match self {
            Self::Lambda => SecretName::ApiKey,
            Self::RunPod => SecretName::RunpodApiKey,
        }
    }
}
