//! Names under which `soong ssh config` adds instances to ssh's hosts.

use crate::config::instance::Instance;

/// Prefix of all names.
pub const PREFIX: &str = "soong-";

/// Returns the name of `instance`: its tunnel's, with `+` for `@`, which would end a user name. No other
/// tunnel's name has a `+`.
pub fn alias(instance: &Instance) -> String {
    format!("{PREFIX}{}", instance.tunnel_name().replace('@', "+"))
}
