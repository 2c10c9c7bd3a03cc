use super::*;

/// Parses lines of `TIME EVENT ID NAME`, with `-` for a missing field, and `@N` as the last moment seen.
pub(in crate::ledger) fn history(lines: &[&str]) -> History {
    let mut history = History::default();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let event = serde_json::from_str(&format!("\"{}\"", words[1])).unwrap();
        let field = |index: usize| words.get(index).copied().filter(|word| *word != "-");
        let mut entry =
            Entry::new(words[0].parse().unwrap(), event, "x").about(field(2), field(3)).because("r");
        let number = |mark: char| words.iter().find_map(|word| word.strip_prefix(mark)?.parse::<u64>().ok());
        entry.last_seen = number('@');
        entry.price_cents_per_hour = number('$');
        entry.planned_minutes = number('+');
        history.add(entry);
    }
    history
}

/// Describes stays and wishes in one line each.
fn told(lines: &[&str]) -> Vec<String> {
    let history = history(lines);
    let stays = history.stays.iter().map(|stay| {
        let how = if stay.is_launched { "launched" } else { "seen" };
        let end =
            stay.end.as_ref().map_or("now".to_owned(), |end| format!("{}..{}", end.last_seen, end.noticed));
        format!("{} {how} {} to {end}", stay.id, stay.from)
    });
    let wishes = history.wishes.iter().map(|wish| format!("wish {} {}", wish.name, wish.asked));
    stays.chain(wishes).collect()
}

#[test]
fn histories_become_stays() {
    let table: &[(&str, &[&str], &[&str])] = &[
        ("a launch", &["10 launch-asked - dev", "12 launched a dev"], &["a launched 10 to now"]),
        ("one without an answer", &["10 launch-asked - dev"], &["wish dev 10"]),
        ("one that failed", &["10 launch-asked - dev", "11 launch-failed - dev"], &[]),
        (
            "a second try",
            &[
                "10 launch-asked - dev",
                "11 launch-failed - dev",
                "12 launch-asked - dev",
                "13 launched a dev",
            ],
            &["a launched 12 to now"],
        ),
        (
            "a whole life",
            &["10 launch-asked - dev", "12 launched a dev", "90 terminate-asked a", "95 ended a"],
            &["a launched 10 to 90..95"],
        ),
        (
            "an end that is noticed late",
            &["10 launched a dev", "900 ended a - @500"],
            &["a launched 10 to 500..900"],
        ),
        ("one of another program", &["50 seen b other"], &["b seen 50 to now"]),
        (
            "seen by another command before the launch was entered",
            &["10 launch-asked - dev", "12 seen a dev", "13 launched a dev"],
            &["a launched 12 to now"],
        ),
        (
            "entered twice",
            &["10 launched a dev", "11 launched a dev", "12 seen a dev"],
            &["a launched 10 to now"],
        ),
        ("ended twice", &["10 launched a dev", "20 ended a", "30 ended a"], &["a launched 10 to 20..20"]),
        (
            "back again",
            &["10 seen a", "20 ended a", "30 seen a"],
            &["a seen 10 to 20..20", "a seen 30 to now"],
        ),
        ("an end without a begin", &["20 ended a", "21 terminate-asked a", "22 launch-failed - x"], &[]),
        (
            "a clock that went backwards",
            &["50 launched a dev", "40 ended a - @90"],
            &["a launched 50 to 40..40"],
        ),
        ("a launch without an id", &["10 launched - dev", "10 seen -"], &[]),
    ];
    for (name, lines, expected) in table {
        assert_eq!(&told(lines), expected, "{name}");
    }
}
