//! Secrets in `config.json`, the file of soong's predecessor.
//!
//! Its documentation says that the file holds the status daemon's token, but not under which name. The
//! program's YAML config of the same content has `status_daemon.token` and `lambda.api_key`; the plain names
//! are accepted, too.

use std::path::Path;

use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::private_file;
use super::secret::Secret;
use crate::error::{Error, Result};

const API_KEY: [&str; 3] = ["/lambda/api_key", "/lambda_api_key", "/api_key"];
const DAEMON_TOKEN: [&str; 5] =
    ["/status_daemon/token", "/daemon/token", "/status_token", "/daemon_token", "/token"];

/// Returns the API key and the daemon's token in `file`; `None` if it does not exist.
pub(super) fn read(file: &Path) -> Result<Option<[Option<Secret>; 2]>> {
    private_file::read(file)?.map(|text| parse(&Zeroizing::new(text), file)).transpose()
}

fn parse(text: &str, file: &Path) -> Result<[Option<Secret>; 2]> {
    // As with TOML, the parser's message is not shown.
    let mut document: Value = serde_json::from_str(text).map_err(|error| Error::Config {
        path: file.into(),
        line: Some(error.line()),
        message: "not valid JSON".into(),
        hint: Some("fix it, or move it away and run 'soong configure'".into()),
    })?;
    let first = |pointers: &[&str]| {
        pointers.iter().find_map(|pointer| document.pointer(pointer)?.as_str().and_then(Secret::new))
    };
    let secrets = [first(&API_KEY), first(&DAEMON_TOKEN)];
    wipe(&mut document);
    Ok(secrets)
}

/// Overwrites every text in `value`: any can be a secret.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(values) => values.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
