use std::sync::Arc;

use super::*;
use crate::commands::status::overview::Tunnel;
use crate::error::Error;
use crate::instances::inventory::Source;
use crate::ledger::cost::Cost;
use crate::runtime::state::Facts;

fn row(name: &str, id: &str) -> Row {
    Row {
        name: name.into(),
        id: id.into(),
        status: Status::Active,
        host: Some("203.0.113.7".into()),
        kind: None,
        region: None,
        price_cents_per_hour: None,
        provider: None,
        stale: false,
        rental: None,
        tunnel: None,
        facts: Facts::default(),
    }
}

fn rental(seconds: u64, cents: u64, is_launched: bool) -> Rental {
    let so_far = Cost { from: 0, to: seconds, cents: Some(cents), is_at_least: !is_launched };
    Rental { is_launched, is_ready: true, so_far }
}

fn overview(rows: Vec<Row>) -> Overview {
    Overview { rows, sources: Vec::new(), lost: Vec::new(), ledger_fault: None, now: 1000 }
}

#[test]
fn a_row_per_instance_and_what_else_is_known_below() {
    let mut full = row("dev", "0920582c7ff041399e34823a0be62549");
    full.kind = Some("gpu_1x_a100".into());
    full.region = Some("us-west-1".into());
    full.price_cents_per_hour = Some(129);
    full.tunnel = Some(Tunnel {
        doing: TunnelStatus::Phase(Phase::Up),
        pid: Some(7),
        last_error: None,
        forwards: vec![],
    });
    full.facts = Facts {
        lease_end: Some(1000 + 11_520),
        gpu_load: Some(42),
        model: Some("qwen".into()),
        idle_minutes: Some(12),
        why: Some("idle for 12 min; it ends in 18 min unless it is used".into()),
    };
    full.rental = Some(rental(2880, 104, true));
    let mut seen = row("staging", "b2");
    seen.rental = Some(rental(400_000, 20_000, false));
    assert_eq!(
        render(&overview(vec![full, seen.clone()])),
        "NAME     ID        STATE   TUNNEL  LEASE       UP     $/H   SO FAR\n\
         dev      0920582c  active  up      3 h 12 min  48m    1.29  $1.04\n    \
             203.0.113.7, gpu_1x_a100 in us-west-1, GPU 42 %, qwen\n    \
             idle for 12 min; it ends in 18 min unless it is used\n\
         staging  b2        active  -       -           4d15h  -     $200.00+\n    \
             203.0.113.7\n"
    );
    assert_eq!(
        render(&overview(vec![seen])),
        "NAME     ID  STATE   ADDRESS      TUNNEL  LEASE  UP     $/H  SO FAR\n\
         staging  b2  active  203.0.113.7  -       -      4d15h  -    $200.00+\n",
        "the address stays where there is room"
    );
    assert_eq!(
        render(&overview(vec![row("staging", "b2")])),
        "NAME     ID  STATE   ADDRESS      TUNNEL  LEASE\n\
         staging  b2  active  203.0.113.7  -       -\n",
        "no columns without content"
    );
    assert_eq!(render(&overview(vec![])), "No instances\n");
}

#[test]
fn nothing_is_wider_than_80_columns_and_nothing_reaches_the_terminal_raw() {
    let long = "größer\u{1b}[31m".repeat(30);
    let mut odd = row(&long, "0920582c7ff041399e34823a0be62549");
    odd.host = Some("x".repeat(300));
    odd.kind = Some(long.clone());
    odd.region = Some(long.clone());
    odd.status = Status::Terminating;
    odd.stale = true;
    odd.facts.model = Some(long.clone());
    odd.tunnel = Some(Tunnel {
        doing: TunnelStatus::Phase(Phase::Reconnecting),
        pid: None,
        last_error: Some(long),
        forwards: vec![],
    });
    odd.price_cents_per_hour = Some(123_456);
    odd.rental = Some(rental(8_000_000, 99_999_999, false));
    odd.facts.lease_end = Some(1000 + 86_400 * 9 + 36_000);
    let text = render(&overview(vec![odd]));
    assert!(text.lines().all(|line| measure_text_width(line) <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn ids_are_as_long_as_they_must_be() {
    let rows = ["0123456789abcdef", "012345678Xabcdef", "b2", "größer-als", "größer-als-alles"];
    let rows: Vec<Row> = rows.iter().map(|id| row("a", id)).collect();
    let ids = Ids::new(&rows);
    let short: Vec<&str> = rows.iter().map(|row| ids.short(&row.id)).collect();
    assert_eq!(short, ["0123456789", "012345678X", "b2", "größer-als", "größer-als-"]);
}

#[test]
fn an_old_list_says_so() {
    let source =
        Source { provider: "lambda".into(), taken: Some(700), error: Some(Arc::new(Error::failed("x"))) };
    let mut old = overview(vec![row("a", "b")]);
    old.sources.push(source);
    assert!(render(&old).ends_with("\nlambda: provider unreachable; showing data from 5 min ago\n"));
}
