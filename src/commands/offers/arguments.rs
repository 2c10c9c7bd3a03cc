//! Command line of `soong offers`.

use clap::Parser;

use crate::instances::provider::arguments::{amount, word};

/// The command line of `soong-offers`.
#[derive(Debug, Default, Parser)]
#[command(
    name = "soong-offers",
    bin_name = "soong offers",
    version,
    about = "List machines for rent",
    long_about = "List machines for rent.\n\n\
        Asks the enabled providers that rent machines, and lists those that have capacity now, the \
        cheapest first. Prices are those of the whole machine, per hour, without taxes and storage; the \
        memory is that of each GPU.",
    after_help = "Examples:
  soong offers
  soong offers --gpu H100,A100 --max-price 3
  soong offers --count 8 --region 'us-*' --all
  soong offers --json | jq -r '.offers[0].type'"
)]
pub struct Arguments {
    /// GPUs: parts of their names
    #[arg(long, value_name = "GPU,…", value_delimiter = ',', value_parser = word)]
    pub gpu: Vec<String>,
    /// Number of GPUs
    #[arg(long, value_name = "N")]
    pub count: Option<u32>,
    /// Least memory of each GPU, such as 80GB
    #[arg(long, value_name = "SIZE", value_parser = memory)]
    pub min_memory: Option<u32>,
    /// Highest price per hour
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    pub max_price: Option<u64>,
    /// Regions; * stands for any text
    #[arg(long, value_name = "REGION,…", value_delimiter = ',', value_parser = word)]
    pub region: Vec<String>,
    /// Also list offers without capacity now, and machines without GPUs
    #[arg(long)]
    pub all: bool,
    /// Print JSON
    ///
    /// The fields are described in docs/json.md and do not change within a major version.
    #[arg(long)]
    pub json: bool,
}

/// Parses a size in gigabytes: `80`, `80GB`, `80 GiB`. Vendors name the same memory either way.
fn memory(text: &str) -> Result<u32, String> {
    let text = text.trim().to_ascii_lowercase();
    let number = ["gib", "gb", "g"].iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(&text);
    number.trim_end().parse().map_err(|_| "a size in gigabytes, such as 80GB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_amounts() {
        for (text, expected) in [("80", 80), ("80GB", 80), ("80 GiB", 80), ("24g", 24), ("0", 0)] {
            assert_eq!(memory(text), Ok(expected), "{text}");
        }
        for text in ["", "GB", "80TB", "-1", "1.5GB", "80 GB x"] {
            assert!(memory(text).is_err(), "{text}");
        }
        for (text, expected) in [("3", 300), ("$2.50", 250), ("0.5", 50)] {
            assert_eq!(amount(text), Ok(expected), "{text}");
        }
        assert!(amount("cheap").is_err() && amount("-1").is_err());
    }
}
