//! One account at RunPod: its pods, what it can rent, and orders.
//!
//! A launch is one `POST` that is never repeated; before it come only `GET`s.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::service::{ADDRESS, CATALOG, IMAGE, SERVICE};
use super::{answer, type_name};
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
use crate::system::paths::Paths;

/// Longest name of a pod, in characters.
const NAME_MAX: usize = 191;

/// An account, with the time by which each of its verbs must have answered.
#[derive(Debug)]
pub struct Account {
    /// Client for pods.
    pods: Client,
    /// Client for the catalog.
    catalog: Client,
    /// Image of new pods.
    image: String,
    /// End of the time for all requests.
    deadline: Instant,
}

/// Body of a launch.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Launch<'a> {
    name: &'a str,
    image_name: &'a str,
    compute_type: &'static str,
    cloud_type: &'static str,
    gpu_type_ids: [&'a str; 1],
    gpu_count: u32,
    data_center_ids: [&'a str; 1],
    ports: [&'static str; 1],
    support_public_ip: bool,
    interruptible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_volume_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<Environment<'a>>,
}

/// Environment of a pod, as RunPod's images read it.
#[derive(Serialize)]
struct Environment<'a> {
    #[serde(rename = "PUBLIC_KEY")]
    public_key: &'a str,
}

impl verbs::Account for Account {
    const SERVICE: &'static Service = &SERVICE;

    fn open(deadline: Instant, time: Duration) -> Result<Self> {
        let paths = Paths::from_env()?;
        let settings = Config::load(&paths)?.runpod;
        let address = settings.base_url.as_deref().unwrap_or(ADDRESS);
        let endpoint = Endpoint::parse(address, "runpod.base-url")?;
        let catalog = settings.catalog_url.as_deref().unwrap_or(CATALOG);
        let catalog = Endpoint::parse(catalog, "runpod.catalog-url")?;
        let stored = || Ok(Credentials::load(&paths)?.runpod_api_key);
        let key = Key::obtain(&SERVICE, &settings.api_key_command, stored, time)?;
        Ok(Self {
            pods: Client::new(&SERVICE, endpoint, key.clone()),
            catalog: Client::new(&SERVICE, catalog, key),
            image: settings.image.unwrap_or_else(|| IMAGE.to_owned()),
            deadline,
        })
    }

    fn instances(&self) -> Outcome<Vec<Listed>> {
        let request = Request { method: Method::Get, path: "pods", verb: Verb::List };
        Ok(answer::pods(&self.pods.ask(&request, self.deadline)?)?)
    }

    fn offers(&self) -> Outcome<Vec<Offer>> {
        let mut offers = Vec::new();
        for count in type_name::COUNTS {
            let path = format!("gpus?include=AVAILABILITY&product=POD&cloud=SECURE&count={count}");
            let request = Request { method: Method::Get, path: &path, verb: Verb::Offers };
            offers.extend(answer::offers(&self.catalog.ask(&request, self.deadline)?, count)?);
        }
        Ok(offers)
    }

    /// The answer may lack the type and the region; they are the order's.
    fn launch(&self, order: &LaunchOrder) -> Outcome<Listed> {
        let (count, gpu) = check(order)?;
        let body = serde_json::to_vec(&Launch {
            name: &order.name,
            image_name: &self.image,
            compute_type: "GPU",
            cloud_type: "SECURE",
            gpu_type_ids: [gpu],
            gpu_count: count,
            data_center_ids: [&order.region],
            ports: ["22/tcp"],
            support_public_ip: true,
            interruptible: false,
            network_volume_id: order.filesystems.first().map(String::as_str),
            env: order.ssh_key.as_deref().map(|public_key| Environment { public_key }),
        })
        .map_err(|error| Refused::new(Code::Other, format!("cannot write JSON: {error}")))?;
        let request = Request { method: Method::Post(&body), path: "pods", verb: Verb::Launch };
        let answer = self.pods.send_once(&request, self.deadline)?;
        let pod = answer::pod(&answer).map_err(|error| Refused::from_error(Code::UnknownOutcome, &error))?;
        Ok(Listed {
            name: Some(order.name.clone()),
            kind: Some(order.type_name.clone()),
            region: Some(order.region.clone()),
            ..pod
        })
    }

    fn terminate(&self, order: &TerminateOrder) -> Outcome<Listed> {
        // The id becomes part of an address.
        if order.id.is_empty() || !order.id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refused::new(Code::NotFound, "RunPod has no such pod"));
        }
        let path = format!("pods/{}", order.id);
        let request = Request { method: Method::Delete, path: &path, verb: Verb::Terminate };
        self.pods.ask(&request, self.deadline)?;
        Ok(Listed { id: order.id.clone(), status: Status::Terminated, ..Listed::default() })
    }
}

/// Refuses what RunPod cannot do, before anything is sent. Returns number and type of the GPUs.
fn check(order: &LaunchOrder) -> Outcome<(u32, &str)> {
    let refuse = |message: &str, hint: &str| {
        Err(Refused { hints: vec![hint.to_owned()], ..Refused::new(Code::Other, message) })
    };
    if order.name.is_empty() || order.name.chars().count() > NAME_MAX {
        return refuse("a name at RunPod has 1 to 191 characters", "choose another name: --name");
    }
    if order.filesystems.len() > 1 {
        return refuse("RunPod attaches one network volume at most", "name one by its id: --filesystem");
    }
    if order.user_data.is_some() {
        return refuse("RunPod has no cloud-init", "leave out the recipe, or put its work into runpod.image");
    }
    if order.ssh_key.as_ref().is_some_and(|key| !key.contains("ssh-") && !key.contains("ecdsa-")) {
        return refuse(
            "RunPod has no named SSH keys; it installs those of the account",
            "leave out the key, or give the text of a public key",
        );
    }
    match type_name::split(&order.type_name) {
        Some(found) => Ok(found),
        None => refuse("this is not a type of machine at RunPod", "choose one: soong offers"),
    }
}
