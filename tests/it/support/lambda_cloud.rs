//! Lambda Cloud as its published description says: one account with types, keys and instances, a clock that a
//! test sets, and failures in the order in which a test asks for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::{Reply, Request, Server};
use super::sandbox::Sandbox;

/// The only key of the account.
pub const KEY: &str = "secret_abcdef0123456789";
/// Secrets that the API returns for each instance.
pub const JUPYTER_TOKEN: &str = "jupyter-t0ken";
/// Seconds from launch to active.
pub const BOOT: u64 = 180;
/// Seconds from termination until an instance is no longer listed.
pub const END: u64 = 30;

const LAUNCH: &str = "POST /api/v1/instance-operations/launch";
const TERMINATE: &str = "POST /api/v1/instance-operations/terminate";
const INSTANCES: &str = "GET /api/v1/instances";
/// The question for offers.
pub const TYPES: &str = "GET /api/v1/instance-types";
const KEYS: &str = "GET /api/v1/ssh-keys";

/// Failure of one request.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// An error answer with this status, code and `Retry-After`; nothing is done.
    Refused(&'static str, &'static str, Option<&'static str>),
    /// It is carried out, and the connection is cut without an answer.
    Lost,
    /// The connection is cut before anything is done.
    Unsent,
    /// It is carried out, and the answer is not JSON.
    Garbled,
    /// It is carried out, and answered with 502 by a proxy.
    BadGateway,
}

/// A running server; it ends when this is dropped.
pub struct LambdaCloud {
    server: Server,
    account: Arc<Mutex<Account>>,
}

/// Returns the home of a user whose only provider is the account at `cloud`.
pub fn customer(cloud: &LambdaCloud) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["providers", "lambda"], true);
        config.set(["lambda", "base-url"], cloud.url());
    });
    sandbox.store_secrets(&format!("[lambda]\napi-key = \"{KEY}\"\n"));
    sandbox
}

/// State of the account.
#[derive(Default)]
pub struct Account {
    /// Seconds since the start; only tests move it, except in real time.
    pub now: u64,
    /// Time from which each type has capacity, by type and region.
    pub capacity: BTreeMap<(&'static str, &'static str), u64>,
    /// Names of SSH keys.
    pub ssh_keys: Vec<&'static str>,
    /// File systems with their regions.
    pub file_systems: BTreeMap<&'static str, &'static str>,
    /// Largest number of instances.
    pub quota: usize,
    /// Shortest time between two requests.
    pub spacing: Option<Duration>,
    /// Moves `now` with the time since the first request.
    pub is_real_time: bool,
    begun: Option<Instant>,
    instances: Vec<Instance>,
    failures: BTreeMap<&'static str, VecDeque<Failure>>,
    last_request: Option<Instant>,
}

/// An instance of the account.
#[derive(Clone, Debug)]
pub struct Instance {
    pub id: String,
    pub order: Value,
    pub launched: u64,
    pub ended: Option<u64>,
    pub preempted: bool,
}

impl LambdaCloud {
    /// Starts an account with capacity for `gpu_1x_a10` in us-west-1 and us-east-1, and one SSH key.
    pub fn start() -> Self {
        let account = Arc::new(Mutex::new(Account {
            capacity: BTreeMap::from([(("gpu_1x_a10", "us-west-1"), 0), (("gpu_1x_a10", "us-east-1"), 0)]),
            ssh_keys: vec!["laptop"],
            file_systems: BTreeMap::from([("data", "us-west-1")]),
            quota: 8,
            ..Account::default()
        }));
        let shared = Arc::clone(&account);
        let server = Server::start(move |request| shared.lock().unwrap().reply(request));
        Self { server, account }
    }

    /// Address of its API.
    pub fn url(&self) -> String {
        format!("{}/api/v1", self.server.url())
    }

    /// Changes the account.
    pub fn set(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.account.lock().unwrap());
    }

    /// Lets the next launches fail like this, one after the other.
    pub fn fail_launch(&self, failures: &[Failure]) {
        self.set(|account| account.failures.entry(LAUNCH).or_default().extend(failures));
    }

    /// Lets the next terminations fail like this, one after the other.
    pub fn fail_terminate(&self, failures: &[Failure]) {
        self.set(|account| account.failures.entry(TERMINATE).or_default().extend(failures));
    }

    /// Lets the next questions for types fail like this, one after the other.
    pub fn fail_types(&self, failures: &[Failure]) {
        self.set(|account| account.failures.entry(TYPES).or_default().extend(failures));
    }

    /// All instances that were ever launched.
    pub fn instances(&self) -> Vec<Instance> {
        self.account.lock().unwrap().instances.clone()
    }

    /// Number of launches, terminations, and other requests so far.
    pub fn counts(&self) -> (usize, usize, usize) {
        let (launches, terminations) = (self.server.count(LAUNCH), self.server.count(TERMINATE));
        (launches, terminations, self.server.requests().len() - launches - terminations)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

impl Account {
    /// Ends the newest instance as the provider does when it needs the machine.
    pub fn preempt(&mut self) {
        self.instances.last_mut().unwrap().preempted = true;
    }

    fn reply(&mut self, request: &Request) -> Reply {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if self.is_real_time {
            self.now = begun.elapsed().as_secs();
        }
        let before = self.last_request.replace(Instant::now());
        if let (Some(spacing), Some(before)) = (self.spacing, before)
            && before.elapsed() < spacing
        {
            return refuse("429 Too Many Requests", "", "Rate limit exceeded.");
        }
        if request.authorization != format!("Bearer {KEY}") {
            return refuse(
                "401 Unauthorized",
                "global/invalid-api-key",
                "API key was invalid, expired, or deleted.",
            );
        }
        let failure = self.failures.get_mut(request.line.as_str()).and_then(VecDeque::pop_front);
        match failure {
            Some(Failure::Refused(status, code, retry_after)) => {
                return refuse_until(status, code, retry_after);
            }
            Some(Failure::Unsent) => return Reply::Raw(Vec::new()),
            _ => {}
        }
        let reply = self
            .carry_out(request)
            .map_or_else(|refusal| refusal, |data| Reply::ok(json!({"data": data}).to_string()));
        match failure {
            Some(Failure::Lost) => Reply::Raw(Vec::new()),
            Some(Failure::Garbled) => Reply::ok("<html>OK</html>"),
            Some(Failure::BadGateway) => Reply::error("502 Bad Gateway", "<html>"),
            _ => reply,
        }
    }

    fn carry_out(&mut self, request: &Request) -> Result<Value, Reply> {
        let body: Value = serde_json::from_str(&request.body).unwrap_or(Value::Null);
        match request.line.as_str() {
            INSTANCES => Ok(self.listed().map(|instance| self.describe(instance)).collect()),
            TYPES => Ok(self.types()),
            KEYS => Ok(self
                .ssh_keys
                .iter()
                .map(|name| json!({"id": "k", "name": name, "public_key": "ssh-ed25519 A"}))
                .collect()),
            LAUNCH => self.launch(body),
            TERMINATE => self.terminate(&body),
            _ => Err(refuse("404 Not Found", "global/object-does-not-exist", "Not found.")),
        }
    }

    fn listed(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|instance| instance.ended.is_none_or(|ended| self.now < ended + END))
    }

    fn describe(&self, instance: &Instance) -> Value {
        let booted = self.now >= instance.launched + BOOT;
        let status = match instance {
            Instance { ended: Some(_), .. } => "terminating",
            Instance { preempted: true, .. } => "preempted",
            _ if booted => "active",
            _ => "booting",
        };
        json!({
            "id": instance.id, "name": instance.order["name"], "status": status,
            "ip": booted.then_some("198.51.100.2"), "private_ip": "10.0.2.100",
            "ssh_key_names": instance.order["ssh_key_names"], "file_system_names": [],
            "region": {"name": instance.order["region_name"], "description": "x"},
            "instance_type": {"name": instance.order["instance_type_name"], "price_cents_per_hour": 75},
            "jupyter_token": JUPYTER_TOKEN, "jupyter_url": format!("https://j.example/?token={JUPYTER_TOKEN}"),
        })
    }

    fn types(&self) -> Value {
        let of = |name: &str, gpus: u32, gpu: &str, cents: u32| {
            let regions: Vec<Value> = (self.capacity.iter())
                .filter(|((kind, _), from)| *kind == name && self.now >= **from)
                .map(|((_, region), _)| json!({"name": region, "description": "x"}))
                .collect();
            json!({
                "instance_type": {
                    "name": name, "description": format!("{gpus}x {gpu}"), "gpu_description": gpu,
                    "price_cents_per_hour": cents, "specs": {"vcpus": 30, "memory_gib": 200, "storage_gib": 1400, "gpus": gpus},
                },
                "regions_with_capacity_available": regions,
            })
        };
        json!({
            "gpu_1x_a10": of("gpu_1x_a10", 1, "A10 (24 GB PCIe)", 75),
            "gpu_8x_h100_sxm5": of("gpu_8x_h100_sxm5", 8, "H100 (80 GB SXM5)", 2392),
            "cpu_4x_general": of("cpu_4x_general", 0, "N/A", 8),
        })
    }

    fn launch(&mut self, order: Value) -> Result<Value, Reply> {
        let text = |field: &str| order[field].as_str().unwrap_or_default().to_owned();
        let invalid = || refuse("400 Bad Request", "global/invalid-parameters", "Invalid request data.");
        let keys = order["ssh_key_names"].as_array().filter(|keys| keys.len() == 1).ok_or_else(invalid)?;
        if !self.ssh_keys.iter().any(|key| keys[0] == *key) {
            let message = "The SSH key does not exist.";
            return Err(refuse("404 Not Found", "global/object-does-not-exist", message));
        }
        if text("name").chars().count() > 64 || text("region_name").is_empty() {
            return Err(invalid());
        }
        for name in order["file_system_names"].as_array().into_iter().flatten() {
            match self.file_systems.get(name.as_str().unwrap_or_default()) {
                None => {
                    return Err(refuse(
                        "404 Not Found",
                        "global/object-does-not-exist",
                        "No such file system.",
                    ));
                }
                Some(region) if *region != text("region_name") => {
                    let code = "instance-operations/launch/file-system-in-wrong-region";
                    return Err(refuse("400 Bad Request", code, "The file system is in another region."));
                }
                Some(_) => {}
            }
        }
        if self.listed().filter(|instance| instance.ended.is_none()).count() >= self.quota {
            return Err(refuse("400 Bad Request", "global/quota-exceeded", "Quota exceeded."));
        }
        let wanted = (text("instance_type_name"), text("region_name"));
        let capacity =
            self.capacity.iter().find(|((kind, region), _)| wanted.0 == *kind && wanted.1 == *region);
        if capacity.is_none_or(|(_, from)| self.now < *from) {
            let code = "instance-operations/launch/insufficient-capacity";
            return Err(refuse("400 Bad Request", code, "Not enough capacity to fulfill launch request."));
        }
        let id = format!("{:032x}", 0x0920_582c_u64 + self.instances.len() as u64);
        let launched = self.now;
        self.instances.push(Instance { id: id.clone(), order, launched, ended: None, preempted: false });
        Ok(json!({"instance_ids": [id]}))
    }

    fn terminate(&mut self, order: &Value) -> Result<Value, Reply> {
        let now = self.now;
        let id = order["instance_ids"][0].as_str().unwrap_or_default();
        let known = self
            .instances
            .iter_mut()
            .find(|instance| instance.id == id && instance.ended.is_none_or(|ended| now < ended + END));
        let Some(instance) = known else {
            let message = "Specified instance does not exist.";
            return Err(refuse("404 Not Found", "global/object-does-not-exist", message));
        };
        instance.ended.get_or_insert(now);
        let instance = instance.clone();
        Ok(json!({"terminated_instances": [self.describe(&instance)]}))
    }
}

fn refuse(status: &str, code: &str, message: &str) -> Reply {
    // The key in the text: a client must not repeat it.
    let message = format!("{message} ({KEY})");
    let error = json!({"error": {"code": code, "message": message, "suggestion": null}});
    Reply::error(status, &error.to_string())
}

fn refuse_until(status: &str, code: &str, retry_after: Option<&str>) -> Reply {
    let body = json!({"error": {"code": code, "message": format!("Refused ({KEY})."), "suggestion": null}})
        .to_string();
    let wait = retry_after.map(|wait| format!("Retry-After: {wait}\r\n")).unwrap_or_default();
    let length = body.len();
    Reply::Raw(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{wait}\r\n{body}").into_bytes())
}
