//! The supervisor: the process that is the tunnel.
//!
//! # Processes
//!
//! `soong tunnel start` spawns a supervisor in a session of its own and waits for its events. The supervisor holds
//! the tunnel's lock, owns the local listeners and runs one `ssh` as its child, and a second one beside it while the
//! link of the first is in doubt. It runs two more programs when needed: `soong-tunnel hooks` for the user's hooks, and
//! `soong-tunnel locate` to ask the provider. ssh runs the askpass helper for its questions, which reach the starter
//! through the supervisor.
//!
//! # States
//!
//! ```text
//! set_up ─┬─────────→ Connecting ─→ Up ─→ Waiting ─→ Connecting …
//!         │ on demand    ↑ │        │       │
//!         └─→ Idle ──────┘ │        │       │
//!              ↑           │        │       │
//!              ├───────────┴────────┴───────┤  nothing waits, or the user must mend something
//!              └───────────┴────────┴───────┴─→ Ended: stopped, failed, or moved to another directory
//! ```
//!
//! `Link` in [`lifecycle`] is the state. Each state has one function that waits for what ends it and returns the next.
//! The listeners exist in all states: a connection that arrives without a link waits for one.
//!
//! An on-demand tunnel begins in `Idle`: no ssh, no timer, no watch of the system. A waiting connection ends that.
//! Attempts go on while something waits. A failure that only the user can mend refuses what waits, and later
//! connections for a growing time; commands always get an attempt. Without a client for its time, an ssh that is up
//! ends. Such a tunnel ends only when it is stopped, its directory is gone, or its instance.
//!
//! # Doubt
//!
//! ```text
//! a client waits for 1.5 s ─→ check ─┬─ answered ─→ up; the next check after three times as long
//!                                    └─ late ─→ second ssh ─┬─ first link shows life ─→ second ssh ends
//!                                                           └─ second ssh is up first ─→ takes over
//! ```
//!
//! The tunnel stays `Up` meanwhile, and commands and prompts see it as reconnecting ([`doubt`]). Each ssh has a
//! directory of its own for its sockets ([`crate::runtime::ssh_directory`]); the link `p` leads to the present one, so
//! a takeover changes all paths at once. The former ssh ([`former`]) ends when no connection depends on it. Its end
//! tells waiting connections that it has not read their data, and they connect again. Data cannot be taken back from an
//! ssh that lives: with other connections open, they wait until the former link is certainly dead, as without a second
//! ssh.
//!
//! # Owners
//!
//! - [`publish::Publisher`]: directory, lock, state file, log, prompt line, starter, hooks. Only it tells others about
//!   the tunnel.
//! - [`state_file::StateFile`]: the state and its file. The publisher changes the phase, the forward table the forwards.
//! - [`connect::Connector`]: ssh's control socket and questions. It makes one attempt.
//! - [`relay::forward_table::ForwardTable`]: every forward, its listeners, and whether the present ssh carries it.
//! - [`relay::demand::Demand`]: what waits for a link, and when clients last used it.
//! - [`monitor::Monitor`]: the liveness of the link that is up, the ssh that may take its place, and whether the relay
//!   lets connections through.
//! - [`interrupts::Interrupts`]: the request to stop, system events, and news from the provider.
//! - [`backoff::Backoff`]: when to try again, and which failures end the tunnel. A function of failures and times.
//! - [`relay`]: a task per listener and connection. It sees the link as up or down, nothing else.
//!
//! # Deaths
//!
//! | dies or goes | then |
//! |---|---|
//! | ssh | the link is lost; `Waiting`, then `Connecting` |
//! | the far end, silently | a check is overdue: a second ssh takes over if it is up before the first link shows a sign of life; otherwise the monitor kills ssh after a while |
//! | the present ssh, while a former one lives | the former one goes on for its connections; `Waiting` |
//! | the supervisor, by any signal | the kernel frees the lock and kills ssh (Linux); elsewhere the next command finds the lock free and ends ssh through its control socket. Commands remove the files |
//! | the starter, before the tunnel is up | the tunnel stops |
//! | the runtime directory | the tunnel ends, or moves below the home directory if the login is over |
//! | the instance, according to its provider | the tunnel fails |
//! | a hook or provider query | logged; nothing else |
//!
//! A machine that sleeps or changes networks interrupts a wait at once and makes the monitor check the link.

pub(crate) mod already_running;
pub(crate) mod askpass;
pub(crate) mod backoff;
pub(crate) mod connect;
pub(crate) mod control_server;
pub(crate) mod daemon_poll;
mod doubt;
pub(crate) mod end;
pub(crate) mod event_text;
mod former;
pub(crate) mod hooks;
pub(crate) mod idle;
pub(crate) mod interrupts;
pub(crate) mod lease_warning;
pub(crate) mod lifecycle;
pub(crate) mod link;
pub(crate) mod monitor;
pub mod program;
pub(crate) mod prompt_broker;
pub(crate) mod protocol;
pub(crate) mod provider_watch;
pub(crate) mod publish;
pub(crate) mod relay;
pub(crate) mod removal;
mod second;
mod second_budget;
pub(crate) mod setup;
pub(crate) mod signals;
pub(crate) mod starter;
pub(crate) mod state_file;
pub(crate) mod system_events;
