//! Integration tests: the real programs, in a private environment, against a real `sshd` with real services
//! behind it. `tests/install-requirements.sh` installs what they need besides cargo.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and tests set up the environment they look at"
)]

mod addresses;
mod booting;
mod check;
mod code;
mod colours;
mod completion;
mod configure;
mod dispatcher;
mod doctor;
mod equivalence;
mod errors;
mod extend;
mod extensions;
mod faults;
mod first_run;
mod forwards;
mod ground;
#[cfg(target_os = "linux")]
mod guard;
mod hints;
mod hooks;
mod installation;
mod journey;
mod lambda;
mod lambda_rental;
mod leftovers;
mod lifetime;
mod local_ports;
mod names;
mod offers;
mod on_demand;
mod other_users;
mod output;
#[cfg(target_os = "linux")]
mod packages;
mod picker;
mod prompt;
mod providers;
mod questions;
mod renting;
mod retarget;
mod run;
mod runpod;
mod sample_provider;
mod secrets;
#[cfg(target_os = "linux")]
mod services_at_login;
mod sessions;
mod signals;
mod single;
mod spinner;
mod ssh;
mod ssh_config;
mod status;
mod stuck;
mod supervisor;
mod support;
mod traffic;
mod wait;
