//! A real browser without a window: Chromium, driven by chromedriver (WebDriver, <https://www.w3.org/TR/webdriver2/>).

use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::curl::curl;
use super::ports;
use super::tools::tool;
use super::{process, wait};

/// A browser; it ends when this is dropped.
pub struct Browser {
    driver: Child,
    /// The address of the session at the driver.
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser with an empty profile.
    pub fn start() -> Self {
        let profile = tempfile::Builder::new().prefix("br-").tempdir_in("/tmp").unwrap();
        let port = ports::free();
        let mut driver = std::process::Command::new(tool("chromedriver"));
        driver.arg(format!("--port={port}")).env_clear().env("HOME", profile.path());
        driver.env("PATH", super::tools::system_path()).env("TMPDIR", profile.path());
        let driver = driver.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{port}"), _profile: profile };
        wait::until_true("chromedriver", || {
            browser.send("GET", "/status", &Value::Null).is_ok_and(|it| it["ready"] == true)
        });
        // Its sandbox needs rights that containers lack; the page is our own.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments, "binary": tool("chromium") },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.send("POST", "/session", &capabilities).unwrap();
        browser.session += &format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    /// Sends a command to the driver and returns its value, or its error.
    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let mut command = curl();
        command.args(["--no-fail", "-X", method, "-H", "Content-Type: application/json"]);
        if !body.is_null() {
            command.args(["-d", &body.to_string()]);
        }
        let output = command.arg(format!("{}{path}", self.session)).output().unwrap();
        let mut answer: Value = serde_json::from_slice(&output.stdout).map_err(|_| Value::Null)?;
        let value = answer["value"].take();
        if value["error"].is_string() { Err(value) } else { Ok(value) }
    }

    /// Opens `url`.
    pub fn open(&self, url: &str) {
        self.send("POST", "/url", &json!({ "url": url })).unwrap();
    }

    /// Runs a script in the page, a function body, and returns its result.
    pub fn run(&self, script: &str) -> Value {
        self.send("POST", "/execute/sync", &json!({ "script": script, "args": [] })).unwrap()
    }

    /// Waits until a script, an expression, is true in the page.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) {
        let mut seen = Value::Null;
        let end = std::time::Instant::now() + wait::DEADLINE;
        while !self.run(&format!("return Boolean({expression})")).as_bool().unwrap_or_default() {
            if std::time::Instant::now() >= end {
                seen = self.run("return document.body.innerText");
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(seen.is_null(), "waited for {expression}; the page shows: {seen}");
    }

    fn element(&self, selector: &str) -> String {
        let query = json!({ "using": "css selector", "value": selector });
        let found = self.send("POST", "/element", &query).unwrap();
        let (_, id) = found.as_object().unwrap().iter().next().unwrap();
        format!("/element/{}", id.as_str().unwrap())
    }

    /// Clicks an element, as a user does: it must be visible.
    pub fn click(&self, selector: &str) {
        self.send("POST", &format!("{}/click", self.element(selector)), &json!({})).unwrap();
    }

    /// Types into an element.
    pub fn type_into(&self, selector: &str, text: &str) {
        self.send("POST", &format!("{}/value", self.element(selector)), &json!({ "text": text })).unwrap();
    }

    /// Opens a tab and goes on there.
    pub fn open_tab(&self) {
        let tab = self.send("POST", "/window/new", &json!({ "type": "tab" })).unwrap();
        self.send("POST", "/window", &json!({ "handle": tab["handle"] })).unwrap();
    }

    /// Returns the messages of the browser's console since the last call.
    pub fn console(&self) -> Vec<String> {
        let log = self.send("POST", "/se/log", &json!({ "type": "browser" })).unwrap();
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        process::kill_tree(i32::try_from(self.driver.id()).unwrap());
        let _ = self.driver.wait();
    }
}
