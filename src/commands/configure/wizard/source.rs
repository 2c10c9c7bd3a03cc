//! Where instances come from: a provider that soong knows, another one, or an address.

use crate::commands::configure::cloud::Cloud;

/// Where instances come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A provider whose API key soong stores.
    Cloud(Cloud),
    /// Another enabled provider.
    Other(String),
    /// An address that the user knows.
    Address,
    /// Nothing yet.
    Nothing,
}
