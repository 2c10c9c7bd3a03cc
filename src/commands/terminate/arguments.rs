//! Command line of `soong terminate`.

use clap::Parser;

use crate::completion::Values;
use crate::error::Result;
use crate::instances::inventory::one_name;

/// The command line of `soong-terminate`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-terminate",
    bin_name = "soong terminate",
    version,
    about = "Terminate rented instances",
    long_about = "Terminate rented instances.\n\n\
        Shows each instance with its cost and asks for its name, stops its tunnel, and waits until the \
        provider says that it is gone. The disk of a terminated instance is lost; file systems of the \
        provider keep their data.",
    after_help = "Examples:
  soong terminate dev
  soong terminate dev staging --yes
  soong terminate --all                asks for each"
)]
pub struct Arguments {
    /// Instances: names, ids, or starts of ids [default: you choose one]
    #[arg(value_name = "NAME", conflicts_with = "all", add = Values::Instances)]
    pub names: Vec<String>,
    /// The same as NAME
    #[arg(long, value_name = "ID", conflicts_with = "all", add = Values::Instances)]
    pub instance_id: Option<String>,
    /// All instances that enabled providers list; asks for each
    #[arg(long)]
    pub all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

impl Arguments {
    /// Returns the names that were given. An option beside words is one of them: a slip must not end a machine.
    pub fn wanted(&self) -> Result<Vec<&str>> {
        let option = self.instance_id.as_deref();
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for &name in &names {
            one_name(Some(name), option)?;
        }
        if names.is_empty() {
            names.extend(option);
        }
        Ok(names)
    }
}
