//! Checks of the way to the SSH server: name, connection and greeting, each with its time.

use std::time::Instant;

use super::finding::{Finding, Findings};
use crate::openssh::{Login, greeting};
use crate::system::signals::Watch;

/// Checks the way to the SSH server. Returns true if a login can be tried.
pub(super) fn check(login: &Login, findings: &mut Findings, watch: &Watch) -> bool {
    let Some(endpoint) = greeting::endpoint(login, watch) else {
        // Only ssh can go that way; the login shows whether it works.
        return findings.add(Finding::ok("network", "ssh connects through a proxy or jump host"));
    };
    let begun = Instant::now();
    let looked_up = findings.wait(&format!("Looking up {}", endpoint.host), || greeting::look_up(&endpoint));
    let addresses = match looked_up {
        Ok(addresses) => addresses,
        Err(reason) => {
            let finding = Finding::failed("name", reason)
                .advice("check the address, and that this machine is online")
                .took(begun.elapsed());
            return findings.add(finding);
        }
    };
    let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    if list != [endpoint.host.clone()] {
        findings.add(
            Finding::ok("name", format!("{} is {}", endpoint.host, list.join(", "))).took(begun.elapsed()),
        );
    }
    let mut fault = Finding::failed("connection", "no address");
    for address in addresses {
        let begun = Instant::now();
        let stream = match findings.wait(&format!("Connecting to {address}"), || greeting::connect(address)) {
            Ok(stream) => stream,
            Err(reason) => {
                fault = Finding::failed("connection", format!("{address}: {reason}"))
                    .advice(advice(&reason))
                    .took(begun.elapsed());
                continue;
            }
        };
        findings
            .add(Finding::ok("connection", format!("{address} accepts connections")).took(begun.elapsed()));
        let begun = Instant::now();
        let greeted = findings.wait("Waiting for the SSH greeting", || greeting::read_greeting(stream));
        return findings.add(match greeted {
            Ok(text) => Finding::ok("greeting", text).took(begun.elapsed()),
            Err(reason) => {
                Finding::failed("greeting", format!("{address} accepts connections, but: {reason}"))
                    .advice("the instance may still be booting, or another service has this port")
                    .took(begun.elapsed())
            }
        });
    }
    findings.add(fault)
}

fn advice(reason: &str) -> &'static str {
    match reason {
        "timed out" => "the instance may be off, or a firewall drops packets: check its port 22 and your VPN",
        "Connection refused" => "the instance is there, but its SSH server is not: it may still be booting",
        _ => "check the address, and that this machine is online",
    }
}
