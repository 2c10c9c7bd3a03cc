//! Command line of `soong cost`.

use clap::Parser;

use crate::ledger::month::Month;

/// The command line of `soong-cost`.
#[derive(Debug, Parser)]
#[command(
    name = "soong-cost",
    bin_name = "soong cost",
    version,
    about = "Show what instances cost in a month",
    long_about = "Show what instances cost in a month.\n\n\
        Adds up the ledger: each launch, each end, and each instance that a provider has listed. \
        Amounts are price times time, rounded up to cents; taxes and storage are not in them. A '+' \
        marks an amount that may be higher, such as that of an instance that soong did not launch, \
        which counts from the first time that soong saw it. Months are those of your time zone.",
    after_help = "Examples:
  soong cost
  soong cost --month 2026-11
  soong cost --json | jq .total_cents"
)]
pub struct Arguments {
    /// Month, such as 2026-11 [default: this one]
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<Month>,
    /// Use the ledger without asking providers which instances have ended
    #[arg(long)]
    pub cached: bool,
    /// Print JSON
    ///
    /// The fields are described in docs/json.md and do not change within a major version.
    #[arg(long)]
    pub json: bool,
}
