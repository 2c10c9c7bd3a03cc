//! Choice of offers: pure functions of a provider's answer.

use crate::error::Error;
use crate::instances::provider::Offer;
use crate::instances::provider::pattern::matches;
use crate::ledger::cost::dollars;
use crate::terminal::printable;

/// Requirements on an offer.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Parts of GPU names, the preferred one first; empty for any GPU.
    pub gpu: Vec<String>,
    /// Number of GPUs.
    pub count: Option<u32>,
    /// Type of machine.
    pub type_name: Option<String>,
    /// Patterns of regions, the preferred one first; empty for any.
    pub regions: Vec<String>,
    /// Highest price per hour in cents.
    pub max_price: Option<u64>,
}

/// An offer in a region with capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub offer: Offer,
    pub region: String,
}

impl Wanted {
    /// Returns the offers that fit and have capacity: by preferred GPU, price, and preferred region.
    pub fn candidates(&self, offers: &[Offer]) -> Vec<Candidate> {
        let mut found: Vec<((usize, u64, usize), Candidate)> = Vec::new();
        for (gpu, offer) in self.fitting(offers) {
            let regions = offer.regions.iter().filter_map(|region| Some((self.region(region)?, region)));
            found.extend(regions.map(|(place, region)| {
                let candidate = Candidate { offer: offer.clone(), region: region.clone() };
                ((gpu, offer.price_cents_per_hour, place), candidate)
            }));
        }
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// Returns the offers that fit, with capacity or not, and the place of their GPU among the preferred ones.
    fn fitting<'a>(&self, offers: &'a [Offer]) -> Vec<(usize, &'a Offer)> {
        let fits = |offer: &Offer| {
            self.max_price.is_none_or(|limit| offer.price_cents_per_hour <= limit)
                && self.type_name.as_ref().is_none_or(|name| *name == offer.type_name)
                && self.count.is_none_or(|count| offer.count == count)
        };
        offers
            .iter()
            .filter(|offer| fits(offer))
            .filter_map(|offer| Some((self.gpu(offer)?, offer)))
            .collect()
    }

    /// Returns the highest price among the offers that fit.
    pub fn highest_price(&self, offers: &[Offer]) -> Option<u64> {
        self.fitting(offers).iter().map(|(_, offer)| offer.price_cents_per_hour).max()
    }

    fn gpu(&self, offer: &Offer) -> Option<usize> {
        if self.gpu.is_empty() {
            // Without a wish, a machine without GPUs is not what a GPU renter wants.
            return (offer.gpu.is_some() || self.type_name.is_some()).then_some(0);
        }
        let name = offer.gpu.as_ref()?.to_lowercase();
        self.gpu.iter().position(|wanted| name.contains(&wanted.to_lowercase()))
    }

    fn region(&self, region: &str) -> Option<usize> {
        if self.regions.is_empty() {
            return Some(0);
        }
        self.regions.iter().position(|pattern| matches(pattern, region))
    }

    /// Returns the reason why no offer is a candidate.
    pub fn none(&self, offers: &[Offer]) -> Error {
        let fitting = self.fitting(offers);
        if let Some((_, cheapest)) = fitting.iter().min_by_key(|(_, offer)| offer.price_cents_per_hour) {
            let name = printable(&cheapest.type_name).into_owned();
            let place = if self.regions.is_empty() { "" } else { " in these regions" };
            return Error::failed(format!(
                "no capacity{place} for {name}{}",
                match fitting.len() - 1 {
                    0 => String::new(),
                    1 => " and 1 other offer".to_owned(),
                    others => format!(" and {others} other offers"),
                }
            ))
            .with_hint("wait for it: --wait-capacity");
        }
        let dearer = Self { max_price: None, ..self.clone() };
        let cheapest = dearer.fitting(offers).into_iter().map(|(_, offer)| offer.price_cents_per_hour).min();
        if let (Some(price), Some(limit)) = (cheapest, self.max_price) {
            return Error::failed(format!(
                "nothing at or below {}/h; the cheapest offer costs {}/h",
                dollars(limit),
                dollars(price)
            ))
            .with_hint("raise the limit: --max-price, or launch.max-price in config.toml");
        }
        let mut names: Vec<String> =
            offers.iter().filter_map(|offer| Some(printable(offer.gpu.as_ref()?).into_owned())).collect();
        names.sort();
        names.dedup();
        let error = Error::failed("no offer fits");
        if names.is_empty() {
            error
        } else {
            error.with_hint(format!("available GPUs: {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers as `TYPE GPU COUNT CENTS REGION,…`.
    fn offers() -> Vec<Offer> {
        let lines = [
            "a10 A10 1 75 us-west-1,us-east-1",
            "h100 H100 1 249 eu-north-1,us-east-3",
            "h100x8 H100 8 1992 -",
            "a100 A100 1 129 us-west-2",
            "cpu - 0 10 us-west-1",
        ];
        let offer = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            Offer {
                provider: "x".into(),
                type_name: words[0].into(),
                gpu: (words[1] != "-").then(|| words[1].into()),
                count: words[2].parse().unwrap(),
                price_cents_per_hour: words[3].parse().unwrap(),
                regions: words[4].split(',').filter(|region| *region != "-").map(str::to_owned).collect(),
                ..Offer::default()
            }
        };
        lines.into_iter().map(offer).collect()
    }

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn told(wanted: &Wanted) -> Vec<String> {
        let found = wanted.candidates(&offers());
        found.iter().map(|found| format!("{} {}", found.offer.type_name, found.region)).collect()
    }

    #[test]
    fn candidates_stand_in_the_order_of_preference() {
        let any = Wanted::default();
        assert_eq!(
            told(&any),
            ["a10 us-west-1", "a10 us-east-1", "a100 us-west-2", "h100 eu-north-1", "h100 us-east-3"]
        );
        let gpu = Wanted { gpu: texts(&["h100", "A100"]), ..any.clone() };
        assert_eq!(told(&gpu), ["h100 eu-north-1", "h100 us-east-3", "a100 us-west-2"]);
        let region = Wanted { regions: texts(&["us-east-*", "us-*"]), ..any.clone() };
        assert_eq!(told(&region), ["a10 us-east-1", "a10 us-west-1", "a100 us-west-2", "h100 us-east-3"]);
        let cap = Wanted { max_price: Some(128), ..any.clone() };
        assert_eq!(told(&cap), ["a10 us-west-1", "a10 us-east-1"]);
        let count = Wanted { count: Some(8), ..any.clone() };
        assert!(told(&count).is_empty());
        let exact = Wanted { type_name: Some("cpu".into()), ..any.clone() };
        assert_eq!(told(&exact), ["cpu us-west-1"]);
        assert_eq!(any.highest_price(&offers()), Some(1992));
    }

    #[test]
    fn without_a_candidate_the_reason_is_told() {
        let none = |wanted: Wanted| {
            let error = wanted.none(&offers());
            format!("{error} | {}", error.hints().join(" | "))
        };
        let any = Wanted::default;
        assert_eq!(
            none(Wanted { count: Some(8), ..any() }),
            "no capacity for h100x8 | wait for it: --wait-capacity"
        );
        assert_eq!(
            none(Wanted { regions: texts(&["asia-*"]), max_price: Some(129), ..any() }),
            "no capacity in these regions for a10 and 1 other offer | wait for it: --wait-capacity"
        );
        assert_eq!(
            none(Wanted { gpu: texts(&["H100"]), max_price: Some(200), ..any() }),
            "nothing at or below $2.00/h; the cheapest offer costs $2.49/h | raise the limit: --max-price, or launch.max-price in config.toml"
        );
        assert_eq!(
            none(Wanted { gpu: texts(&["H200"]), ..any() }),
            "no offer fits | available GPUs: A10, A100, H100"
        );
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("us-west-1", "us-west-1", true),
            ("us-*", "us-west-1", true),
            ("*-1", "us-west-1", true),
            ("us-*-1", "us-west-1", true),
            ("*", "", true),
            ("u*e*1", "us-west-1", true),
            ("us", "us-west-1", false),
            ("us-*-2", "us-west-1", false),
            ("ab*ba", "aba", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
