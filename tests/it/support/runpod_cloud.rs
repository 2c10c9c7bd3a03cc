//! RunPod as its published descriptions say (REST v1 for pods, the catalog of REST v2): one account, a catalog, and
//! failures in the order in which a test asks for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Reply, Request, Server};

/// The only key of the account.
pub const KEY: &str = "rpa_ABCDEF0123456789";
/// Secret in the environment of each pod.
pub const POD_SECRET: &str = "hf_s3cret";
/// The only type of GPU with capacity, and where.
pub const GPU: &str = "NVIDIA L40S";
pub const REGION: &str = "US-KS-2";

const LAUNCH: &str = "POST /v1/pods";

/// Failure of one order.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// An error answer with this status and text; nothing is done.
    Refused(&'static str, &'static str),
    /// It is carried out, and the connection is cut without an answer.
    Lost,
    /// It is carried out, and answered with 500.
    Internal,
    /// It is carried out, and the answer is not JSON.
    Garbled,
}

/// A running server; it ends when this is dropped.
pub struct RunpodCloud {
    server: Server,
    account: Arc<Mutex<Account>>,
}

/// State of the account.
#[derive(Default)]
pub struct Account {
    /// True once the containers run.
    pub booted: bool,
    pods: Vec<Value>,
    launched: usize,
    failures: VecDeque<Failure>,
}

impl RunpodCloud {
    pub fn start() -> Self {
        let account = Arc::new(Mutex::new(Account::default()));
        let shared = Arc::clone(&account);
        let server = Server::start(move |request| shared.lock().unwrap().reply(request));
        Self { server, account }
    }

    /// Address of the server; pods are below `/v1`, the catalog below `/v2/catalog`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Lets the containers of all pods run.
    pub fn boot(&self) {
        self.account.lock().unwrap().booted = true;
    }

    /// Lets the next orders fail like this, one after the other.
    pub fn fail(&self, failures: &[Failure]) {
        self.account.lock().unwrap().failures.extend(failures);
    }

    /// The pods that exist, as they were ordered.
    pub fn pods(&self) -> Vec<Value> {
        self.account.lock().unwrap().pods.clone()
    }

    /// Number of launches, deletions, and other requests so far.
    pub fn counts(&self) -> (usize, usize, usize) {
        let requests = self.server.requests();
        let with = |start: &str| requests.iter().filter(|request| request.line.starts_with(start)).count();
        (with(LAUNCH), with("DELETE "), with("GET "))
    }
}

impl Account {
    fn reply(&mut self, request: &Request) -> Reply {
        if request.authorization != format!("Bearer {KEY}") {
            return refuse("401 Unauthorized", "Unauthorized");
        }
        let failure = if request.line.starts_with("GET ") { None } else { self.failures.pop_front() };
        if let Some(Failure::Refused(status, text)) = failure {
            return refuse(status, text);
        }
        let reply = self.carry_out(request);
        match failure {
            Some(Failure::Lost) => Reply::Raw(Vec::new()),
            Some(Failure::Internal) => refuse("500 Internal Server Error", "Something went wrong."),
            Some(Failure::Garbled) => Reply::ok("<html>OK</html>"),
            _ => reply,
        }
    }

    fn carry_out(&mut self, request: &Request) -> Reply {
        let body: Value = serde_json::from_str(&request.body).unwrap_or(Value::Null);
        if let Some(id) = request.line.strip_prefix("DELETE /v1/pods/") {
            let before = self.pods.len();
            self.pods.retain(|pod| pod["id"] != id);
            return if self.pods.len() < before {
                Reply::Raw(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_vec())
            } else {
                refuse("404 Not Found", "pod not found")
            };
        }
        if request.line == LAUNCH {
            return self.launch(&body);
        }
        if request.line == "GET /v1/pods" {
            let pods: Vec<Value> = self.pods.iter().map(|pod| self.describe(pod)).collect();
            return Reply::ok(Value::from(pods).to_string());
        }
        match request
            .line
            .strip_prefix("GET /v2/catalog/gpus?include=AVAILABILITY&product=POD&cloud=SECURE&count=")
        {
            Some(count) => Reply::ok(catalog(count).to_string()),
            None => refuse("404 Not Found", ""),
        }
    }

    fn launch(&mut self, order: &Value) -> Reply {
        let has = |field: &str, value: Value| order[field] == value;
        let is_valid = has("computeType", json!("GPU"))
            && has("cloudType", json!("SECURE"))
            && has("supportPublicIp", json!(true))
            && has("interruptible", json!(false))
            && has("ports", json!(["22/tcp"]))
            && order["imageName"].is_string()
            && order["gpuCount"].as_u64().is_some_and(|count| count > 0);
        if !is_valid {
            return refuse("400 Bad Request", "invalid body");
        }
        if !has("gpuTypeIds", json!([GPU])) || !has("dataCenterIds", json!([REGION])) {
            let text =
                "create pod: There are no longer any instances available with the requested specifications.";
            return refuse("500 Internal Server Error", text);
        }
        self.launched += 1;
        let mut pod = order.clone();
        pod["id"] = json!(format!("pod{}abc", self.launched));
        self.pods.push(pod.clone());
        let text = self.describe(&pod).to_string();
        Reply::Json("201 Created".to_owned(), text)
    }

    fn describe(&self, pod: &Value) -> Value {
        let booted = self.booted;
        json!({
            "id": pod["id"], "name": pod["name"], "desiredStatus": "RUNNING", "image": pod["imageName"],
            "publicIp": if booted { "100.65.0.119" } else { "" },
            "portMappings": booted.then(|| json!({"22": 10341})), "costPerHr": "1.58",
            "env": {"HF_TOKEN": POD_SECRET}, "gpu": {"id": GPU, "count": pod["gpuCount"], "displayName": "L40S"},
            "machine": {"gpuTypeId": GPU, "dataCenterId": REGION},
        })
    }
}

fn catalog(count: &str) -> Value {
    let has = if ["1", "2"].contains(&count) { "HIGH" } else { "NONE" };
    json!({"gpus": [
        {"id": GPU, "name": "L40S", "memory": 48, "secure": true, "price": {"secure": 0.79, "community": 0.59},
         "availability": has, "dataCenters": [{"id": REGION, "availability": has}, {"id": "EU-RO-1", "availability": "NONE"}]},
        {"id": "NVIDIA B200", "name": "B200", "memory": 180, "secure": false, "price": {"secure": null}, "dataCenters": []},
    ]})
}

fn refuse(status: &str, text: &str) -> Reply {
    // The key in the text: a client must not repeat it.
    let text = if text.is_empty() { String::new() } else { format!("{text} ({KEY})") };
    Reply::error(status, &json!({"error": text}).to_string())
}
