//! One account at Lambda Cloud: its instances, what it can rent, and orders.
//!
//! A launch is one `POST` that is never repeated; before it come only `GET`s. A termination is repeated like a
//! question: ending an instance twice ends it once.

use std::time::Instant;

use serde::Serialize;

use super::answer;
use super::client::{Client, Request};
use crate::instances::provider::answer::{Listed, Status};
use crate::instances::provider::order::TerminateOrder;
use crate::instances::provider::{Code, LaunchOrder, Offer, Refused, Verb};
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

impl Account {
    /// Returns its instances.
    pub fn instances(&self) -> Result<Vec<Listed>, Refused> {
        let body = self.get("instances", Verb::List)?;
        Ok(answer::instances(&body)?)
    }

    /// Returns the types of machines for rent.
    pub fn offers(&self) -> Result<Vec<Offer>, Refused> {
        let body = self.get("instance-types", Verb::Offers)?;
        Ok(answer::offers(&body)?)
    }

    /// Rents a machine. The answer holds only its id; the rest is the order's.
    pub fn launch(&self, order: &LaunchOrder) -> Result<Listed, Refused> {
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
        let request = Request { path: "instance-operations/launch", body: Some(&body), verb: Verb::Launch };
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

    /// Ends an instance.
    pub fn terminate(&self, order: &TerminateOrder) -> Result<Listed, Refused> {
        let body = json(&Terminate { instance_ids: [&order.id] })?;
        let request =
            Request { path: "instance-operations/terminate", body: Some(&body), verb: Verb::Terminate };
        let answer = self.client.ask(&request, self.deadline)?;
        let open = |error| Refused::from_error(Code::UnknownOutcome, &error);
        let ended = answer::terminated(&answer).map_err(open)?;
        let confirmed = ended.into_iter().find(|instance| instance.id == order.id);
        confirmed.ok_or_else(|| {
            Refused::new(Code::UnknownOutcome, "Lambda Cloud did not confirm that the instance is terminated")
        })
    }

    /// Returns the name of the account's SSH key if it has only one.
    fn only_ssh_key(&self) -> Result<String, Refused> {
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

    fn get(&self, path: &str, verb: Verb) -> Result<Vec<u8>, Refused> {
        self.client.ask(&Request { path, body: None, verb }, self.deadline)
    }
}

/// Refuses what the API would refuse, before anything is sent.
fn check(order: &LaunchOrder) -> Result<(), Refused> {
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

fn json(body: &impl Serialize) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(body).map_err(|error| Refused::new(Code::Other, format!("cannot write JSON: {error}")))
}
