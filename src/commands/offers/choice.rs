//! Choice and order of offers: pure functions of the providers' answers.

use super::arguments::Arguments;
use crate::instances::provider::Offer;
use crate::instances::provider::pattern::matches;

/// Returns the offers that fit `arguments`, with the regions that fit, cheapest first.
pub(super) fn choose(offers: Vec<Offer>, arguments: &Arguments) -> Vec<Offer> {
    let mut chosen: Vec<Offer> = offers.into_iter().filter_map(|offer| fitting(offer, arguments)).collect();
    // At the same price, offers with capacity come first.
    chosen.sort_by(|one, other| {
        let key = |offer: &Offer| (offer.price_cents_per_hour, offer.regions.is_empty());
        key(one)
            .cmp(&key(other))
            .then_with(|| (&one.provider, &one.type_name).cmp(&(&other.provider, &other.type_name)))
    });
    chosen
}

fn fitting(mut offer: Offer, arguments: &Arguments) -> Option<Offer> {
    let patterns = &arguments.region;
    offer
        .regions
        .retain(|region| patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, region)));
    let fits = has_gpu(&offer, arguments)
        && arguments.count.is_none_or(|count| offer.count == count)
        && arguments.min_memory.is_none_or(|least| offer.memory_gib.is_some_and(|memory| memory >= least))
        && arguments.max_price.is_none_or(|most| offer.price_cents_per_hour <= most)
        && (arguments.all || !offer.regions.is_empty());
    fits.then_some(offer)
}

fn has_gpu(offer: &Offer, arguments: &Arguments) -> bool {
    match &offer.gpu {
        None => arguments.all && arguments.gpu.is_empty(),
        Some(_) if arguments.gpu.is_empty() => true,
        Some(gpu) => {
            let gpu = gpu.to_lowercase();
            arguments.gpu.iter().any(|part| gpu.contains(&part.to_lowercase()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(type_name: &str, gpu: Option<(&str, u32, u32)>, cents: u64, regions: &[&str]) -> Offer {
        Offer {
            provider: "x".into(),
            type_name: type_name.into(),
            description: None,
            gpu: gpu.map(|(name, ..)| name.to_owned()),
            count: gpu.map_or(0, |(_, count, _)| count),
            memory_gib: gpu.map(|(.., memory)| memory),
            price_cents_per_hour: cents,
            regions: regions.iter().map(|&region| region.to_owned()).collect(),
        }
    }

    fn chosen(arguments: &Arguments) -> Vec<String> {
        let offers = vec![
            offer("h8", Some(("H100", 8, 80)), 2392, &["us-west-1"]),
            offer("h1", Some(("H100", 1, 80)), 249, &["us-west-1", "europe-central-1"]),
            offer("a1", Some(("A100", 1, 40)), 129, &[]),
            offer("a10", Some(("A10", 1, 24)), 75, &["us-east-1"]),
            offer("cpu", None, 8, &["us-east-1"]),
        ];
        let chosen = choose(offers, arguments);
        chosen.iter().map(|offer| format!("{} {}", offer.type_name, offer.regions.join(" "))).collect()
    }

    #[test]
    fn offers_that_fit_come_cheapest_first() {
        let base = Arguments::default;
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let all = ["a10 us-east-1", "h1 us-west-1 europe-central-1", "h8 us-west-1"];
        assert_eq!(chosen(&base()), all);
        assert_eq!(
            chosen(&Arguments { all: true, ..base() }),
            ["cpu us-east-1", all[0], "a1 ", all[1], all[2]]
        );
        assert_eq!(chosen(&Arguments { gpu: words(&["h100"]), ..base() }), all[1..]);
        assert_eq!(chosen(&Arguments { gpu: words(&["h100", "a100"]), all: true, ..base() })[0], "a1 ");
        assert_eq!(chosen(&Arguments { count: Some(8), ..base() }), all[2..]);
        assert_eq!(chosen(&Arguments { min_memory: Some(80), ..base() }), all[1..]);
        assert_eq!(chosen(&Arguments { max_price: Some(249), ..base() }), all[..2]);
        let europe = Arguments { region: words(&["europe-*"]), ..base() };
        assert_eq!(chosen(&europe), ["h1 europe-central-1"]);
        assert_eq!(chosen(&Arguments { max_price: Some(1), ..base() }), [] as [&str; 0]);
    }
}
