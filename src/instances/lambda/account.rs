//! One account at Lambda Cloud: its instances, what it can rent, and orders.
//!
//! A launch is one `POST` that is never repeated; before it come only `GET`s. A termination is repeated like a
//! question: ending an instance twice ends it once.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::answer;
use super::service::{ADDRESS, SERVICE};
use crate::config::Config;
use crate::config::credentials::Credentials;
use crate::error::Result;
use crate::instances::provider::answer::{Listed, Status};
use crate::instances::provider::order::TerminateOrder;
use crate::instances::provider::{Code, LaunchOrder, Offer, Refused, Verb};
use crate::instances::rest::client::{Client, Method, Request};
use crate::instances::rest::endpoint::Endpoint;
use crate::instances::rest::key::Key;
use crate::instances::rest::service::Service;
use crate::instances::rest::verbs::{self, Outcome};
use crate::system::paths::{self, Paths};
use crate::terminal::printable;

/// Longest name of an instance, in characters.
const NAME_MAX: usize = 64;
/// Longest cloud-init data, in bytes.
const USER_DATA_MAX: usize = 1_000_000;

/// An account, with the time by which each of its verbs must have answered.
#[derive(Debug)]
pub struct Account {
    /// Client with the account's key.
    pub client: Client,
    /// End of the time for all requests.
    pub deadline: Instant,
}

/// Body of a launch.
#[derive(Serialize)]
struct Launch<'a> {
    region_name: &'a str,
    instance_type_name: &'a str,
    ssh_key_names: [&'a str; 1],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    file_system_names: &'a [String],
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<&'a str>,
}

/// Body of a termination.
#[derive(Serialize)]
struct Terminate<'a> {
    instance_ids: [&'a str; 1],
}

impl verbs::Account for Account {
    const SERVICE: &'static Service = &SERVICE;

    fn open(deadline: Instant, time: Duration) -> Result<Self> {
        let paths = Paths::from_env()?;
        let settings = Config::load(&paths)?.lambda;
        let endpoint = match (paths::lambda_url()?, &settings.base_url) {
            (Some(url), _) => Endpoint::parse(&url, "SOONG_LAMBDA_ENDPOINT"),
            (None, url) => Endpoint::parse(url.as_deref().unwrap_or(ADDRESS), "lambda.base-url"),
        }?;
        let stored = || Ok(Credentials::load(&paths)?.api_key);
        let key = Key::obtain(&SERVICE, &settings.api_key_command, stored, time)?;
        Ok(Self { client: Client::new(&SERVICE, endpoint, key), deadline })
    }

    fn instances(&self) -> Outcome<Vec<Listed>> {
        let body = self.get("instances", Verb::List)?;
        Ok(answer::instances(&body)?)
    }

    fn offers(&self) -> Outcome<Vec<Offer>> {
        let body = self.get("instance-types", Verb::Offers)?;
        Ok(answer::offers(&body)?)
    }

    /// The answer holds only its id; the rest is the order's.
    fn launch(&self, order: &LaunchOrder) -> Outcome<Listed> {
        check(order)?;
        let key = match &order.ssh_key {
            Some(key) => key.clone(),
            None => self.only_ssh_key()?,
        };
        let body = json(&Launch {
            region_name: &order.region,
            instance_type_name: &order.type_name,
            ssh_key_names: [&key],
            file_system_names: &order.filesystems,
            name: &order.name,
            user_data: order.user_data.as_deref(),
        })?;
        let request =
            Request { method: Method::Post(&body), path: "instance-operations/launch", verb: Verb::Launch };
        let answer = self.client.send_once(&request, self.deadline)?;
        let open = |error| Refused::from_error(Code::UnknownOutcome, &error);
        Ok(Listed {
            id: answer::launched(&answer).map_err(open)?,
            name: Some(order.name.clone()),
            status: Status::Booting,
            kind: Some(order.type_name.clone()),
            region: Some(order.region.clone()),
            ..Listed::default()
        })
    }

    fn terminate(&self, order: &TerminateOrder) -> Outcome<Listed> {
        let body = json(&Terminate { instance_ids: [&order.id] })?;
        let request = Request {
            method: Method::Post(&body),
            path: "instance-operations/terminate",
            verb: Verb::Terminate,
        };
        let answer = self.client.ask(&request, self.deadline)?;
        let open = |error| Refused::from_error(Code::UnknownOutcome, &error);
        let ended = answer::terminated(&answer).map_err(open)?;
        let confirmed = ended.into_iter().find(|instance| instance.id == order.id);
        confirmed.ok_or_else(|| {
            Refused::new(Code::UnknownOutcome, "Lambda Cloud did not confirm that the instance is terminated")
        })
    }
}

impl Account {
    /// Returns the name of the account's SSH key if it has only one.
    fn only_ssh_key(&self) -> Outcome<String> {
        let keys = answer::ssh_keys(&self.get("ssh-keys", Verb::Launch)?)?;
        let (message, hint) = match keys.as_slice() {
            [key] => return Ok(key.clone()),
            [] => (
                "the Lambda Cloud account has no SSH key",
                "add one at https://cloud.lambda.ai/ssh-keys".to_owned(),
            ),
            keys => (
                "the Lambda Cloud account has more than one SSH key",
                format!("choose one: {}", printable(&keys.join(", "))),
            ),
        };
        Err(Refused { hints: vec![hint], ..Refused::new(Code::Other, message) })
    }

    fn get(&self, path: &str, verb: Verb) -> Outcome<Vec<u8>> {
        self.client.ask(&Request { method: Method::Get, path, verb }, self.deadline)
    }
}

/// Refuses what the API would refuse, before anything is sent.
fn check(order: &LaunchOrder) -> Outcome<()> {
    let refuse = |message: String| Err(Refused::new(Code::Other, message));
    if order.name.is_empty() || order.name.chars().count() > NAME_MAX {
        return refuse(format!("a name at Lambda Cloud has 1 to {NAME_MAX} characters"));
    }
    if order.filesystems.len() > 1 {
        return refuse("Lambda Cloud attaches one file system at most".to_owned());
    }
    if order.user_data.as_ref().is_some_and(|data| data.len() > USER_DATA_MAX) {
        return refuse("Lambda Cloud takes user data of 1 MB at most".to_owned());
    }
    Ok(())
}

fn json(body: &impl Serialize) -> Outcome<Vec<u8>> {
    serde_json::to_vec(body).map_err(|error| Refused::new(Code::Other, format!("cannot write JSON: {error}")))
}
