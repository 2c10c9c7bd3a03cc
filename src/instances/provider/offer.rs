//! Answer to `offers`: types of machines for rent.
//!
//! ```json
//! {"api": 1, "offers": [
//!   {"type": "gpu_8x_h100", "description": "8x H100 (80 GB SXM5)", "gpu": "H100", "count": 8, "memory_gib": 80,
//!    "price_cents_per_hour": 2392, "regions": ["us-west-1"]}]}
//! ```
//!
//! `type` and `price_cents_per_hour` are required: without a price, no cap could protect the user. Texts are
//! unchecked and can contain control characters; code that shows them must escape them.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::field::{API, Field, ID_MAX, Version, clipped, count, document, price, text};

/// Largest number of offers in an answer.
pub const OFFERS_MAX: usize = 10_000;
/// Largest number of regions of an offer.
pub const REGIONS_MAX: usize = 1_000;

/// A type of machine for rent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Name of the provider; empty in the provider's own output.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// Type of machine, unique within the provider; not empty.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Description for people.
    pub description: Option<String>,
    /// Model of its GPUs, such as `H100`; `None` for a machine without GPUs.
    pub gpu: Option<String>,
    /// Number of GPUs.
    pub count: u32,
    /// Memory of each GPU in GiB, if known.
    pub memory_gib: Option<u32>,
    /// Price of the machine per hour, in hundredths of the provider's currency.
    pub price_cents_per_hour: u64,
    /// Regions with capacity now.
    pub regions: Vec<String>,
}

/// A provider's answer to `offers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offers {
    api: u64,
    /// Offers in the provider's order.
    pub offers: Vec<Offer>,
}

#[derive(Deserialize)]
struct RawOffers<'a> {
    #[serde(rename = "api")]
    _api: Version,
    #[serde(borrow)]
    offers: Option<Vec<RawOffer<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawOffer<'a> {
    #[serde(rename = "type", borrow)]
    type_name: Field<'a>,
    description: Field<'a>,
    gpu: Field<'a>,
    count: Field<'a>,
    memory_gib: Field<'a>,
    price_cents_per_hour: Field<'a>,
    regions: Option<Vec<Field<'a>>>,
}

impl Offers {
    /// Returns the answer that lists `offers`.
    pub fn new(offers: Vec<Offer>) -> Self {
        Self { api: API, offers }
    }

    /// Parses the output of the provider `provider`; the error describes the fault.
    pub fn parse(bytes: &[u8], provider: &str) -> Result<Self, String> {
        let raw: RawOffers<'_> = document(bytes)?;
        let raw = raw.offers.ok_or("\"offers\" is missing")?;
        if raw.len() > OFFERS_MAX {
            return Err(format!("it lists {} offers; the maximum is {OFFERS_MAX}", raw.len()));
        }
        let offers: Vec<Offer> = raw
            .into_iter()
            .enumerate()
            .map(|(index, raw)| raw.read(provider).map_err(|reason| format!("offers[{index}]{reason}")))
            .collect::<Result<_, _>>()?;
        let mut types = HashSet::new();
        match offers.iter().find(|offer| !types.insert(offer.type_name.as_str())) {
            Some(twice) => Err(format!("two offers have the type \"{}\"", twice.type_name)),
            None => Ok(Self::new(offers)),
        }
    }
}

impl RawOffer<'_> {
    fn read(self, provider: &str) -> Result<Offer, String> {
        let gpu = text(self.gpu, ".gpu")?.map(clipped);
        Ok(Offer {
            provider: provider.to_owned(),
            type_name: name(self.type_name, ".type")?.ok_or(" has no type")?,
            description: text(self.description, ".description")?.map(clipped),
            count: count(&self.count, ".count")?.unwrap_or(gpu.is_some().into()),
            gpu,
            memory_gib: count(&self.memory_gib, ".memory_gib")?,
            price_cents_per_hour: price(&self.price_cents_per_hour)?.ok_or(" has no price_cents_per_hour")?,
            regions: regions(self.regions.unwrap_or_default())?,
        })
    }
}

/// Returns a name that is sent back to the provider, and so is never clipped.
fn name(field: Field<'_>, place: &str) -> Result<Option<String>, String> {
    match text(field, place)? {
        Some(name) if name.len() > ID_MAX => Err(format!("{place} is longer than {ID_MAX} bytes")),
        name => Ok(name.map(Cow::into_owned)),
    }
}

fn regions(values: Vec<Field<'_>>) -> Result<Vec<String>, String> {
    if values.len() > REGIONS_MAX {
        return Err(format!(" has {} regions; the maximum is {REGIONS_MAX}", values.len()));
    }
    values
        .into_iter()
        .map(|value| name(value, ".regions[]")?.ok_or_else(|| " has a region without a name".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Offer>, String> {
        Offers::parse(text.as_bytes(), "x").map(|answer| answer.offers)
    }

    #[test]
    fn a_type_and_a_price_are_enough() {
        let all = parse(
            r#"{"api":1,"offers":[{"type":"a","price_cents_per_hour":0,"surprise":[1]},
               {"type":"b","gpu":"H100","price_cents_per_hour":249},
               {"type":"c","description":"8x H100","gpu":"H100","count":8,"memory_gib":80,"price_cents_per_hour":2392,
                "regions":["us-west-1","us-east-1"]}]}"#,
        )
        .unwrap();
        let a = Offer { provider: "x".into(), type_name: "a".into(), ..Offer::default() };
        assert_eq!(all[0], a);
        assert_eq!((all[0].count, all[1].count), (0, 1), "a GPU without a count is one");
        let c = Offer {
            type_name: "c".into(),
            description: Some("8x H100".into()),
            gpu: Some("H100".into()),
            count: 8,
            memory_gib: Some(80),
            price_cents_per_hour: 2392,
            regions: vec!["us-west-1".into(), "us-east-1".into()],
            ..a
        };
        assert_eq!(all[2], c);
        let written = serde_json::to_string(&Offers::new(all.clone())).unwrap();
        assert_eq!(parse(&written).unwrap(), all);
    }

    #[test]
    fn faults_name_their_place() {
        let offer = |fields: &str| format!(r#"{{"api":1,"offers":[{{{fields}}}]}}"#);
        let long = "x".repeat(ID_MAX + 1);
        for (text, expected) in [
            ("{}".to_owned(), "\"api\": 1 is missing"),
            (r#"{"api":1}"#.to_owned(), "\"offers\" is missing"),
            (offer(r#""price_cents_per_hour":1"#), "offers[0] has no type"),
            (offer(r#""type":"a""#), "offers[0] has no price_cents_per_hour"),
            (
                offer(r#""type":"a","price_cents_per_hour":1.5"#),
                "offers[0].price_cents_per_hour is not a whole number",
            ),
            (
                offer(r#""type":"a","price_cents_per_hour":1,"count":-1"#),
                "offers[0].count is not a whole number",
            ),
            (
                offer(r#""type":"a","price_cents_per_hour":1,"count":4294967296"#),
                "offers[0].count is not a whole number",
            ),
            (offer(r#""type":"a","price_cents_per_hour":1,"gpu":["x"]"#), "offers[0].gpu is not a text"),
            (
                offer(r#""type":"a","price_cents_per_hour":1,"regions":[""]"#),
                "offers[0] has a region without a name",
            ),
            (
                offer(&format!(r#""type":"{long}","price_cents_per_hour":1"#)),
                "offers[0].type is longer than 256 bytes",
            ),
            (
                r#"{"api":1,"offers":[{"type":"a","price_cents_per_hour":1},{"type":"a","price_cents_per_hour":1}]}"#
                    .to_owned(),
                "two offers have the type \"a\"",
            ),
        ] {
            assert_eq!(parse(&text).unwrap_err(), expected, "{text}");
        }
        let many = |count: usize| {
            let offers: Vec<String> =
                (0..count).map(|n| format!(r#"{{"type":"{n}","price_cents_per_hour":1}}"#)).collect();
            format!(r#"{{"api":1,"offers":[{}]}}"#, offers.join(","))
        };
        assert_eq!(parse(&many(OFFERS_MAX)).unwrap().len(), OFFERS_MAX);
        assert!(parse(&many(OFFERS_MAX + 1)).unwrap_err().contains("maximum is 10000"));
    }
}
