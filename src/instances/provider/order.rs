//! Input of `launch` and `terminate`: one JSON object.

use serde::{Deserialize, Serialize};

use super::field::API;

/// Largest input, in bytes: user data of 1 MB, each byte escaped in the worst case, and the rest.
pub const INPUT_MAX: u64 = 8 << 20;

/// A machine to rent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchOrder {
    /// Name, unique among the account's instances, by which a lost answer is looked up.
    pub name: String,
    /// Type of machine, from an offer.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Region, from the same offer.
    pub region: String,
    /// Name of the SSH key at the provider; without one, the provider chooses if it has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
    /// Names of file systems to attach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filesystems: Vec<String>,
    /// cloud-init data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
}

/// An instance to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminateOrder {
    /// Id of the instance.
    pub id: String,
}

/// An order with the version of the API.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    api: u64,
    #[serde(flatten)]
    order: T,
}

/// Returns the input for `order`.
pub(super) fn input<T: Serialize>(order: &T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Versioned { api: API, order })
}

/// Parses the input of a provider; the error describes the fault without quoting the input.
pub fn parse<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, String> {
    let versioned: Versioned<T> = serde_json::from_slice(bytes).map_err(|error| {
        format!("the input is not an order of API {API} (line {}, column {})", error.line(), error.column())
    })?;
    match versioned.api {
        API => Ok(versioned.order),
        other => Err(format!("the input uses version {other} of the provider API; this program uses {API}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let short = LaunchOrder {
            name: "dev".into(),
            type_name: "gpu_1x_a10".into(),
            region: "us-west-1".into(),
            ..LaunchOrder::default()
        };
        let text = String::from_utf8(input(&short).unwrap()).unwrap();
        assert_eq!(text, r#"{"api":1,"name":"dev","type":"gpu_1x_a10","region":"us-west-1"}"#);
        assert_eq!(parse::<LaunchOrder>(text.as_bytes()).unwrap(), short);
        let full = LaunchOrder {
            ssh_key: Some("k".into()),
            filesystems: vec!["fs".into()],
            user_data: Some("#cloud-config\n".into()),
            ..short
        };
        assert_eq!(parse::<LaunchOrder>(&input(&full).unwrap()).unwrap(), full);
        let end = TerminateOrder { id: "a\"b".into() };
        assert_eq!(input(&end).unwrap(), br#"{"api":1,"id":"a\"b"}"#);
    }

    #[test]
    fn faults_do_not_quote_the_input() {
        for text in ["", "{}", r#"{"api":1,"name":"s3cret"}"#, r#"{"api":1,"id":7,"user_data":"s3cret"}"#] {
            let reason = parse::<LaunchOrder>(text.as_bytes()).unwrap_err();
            assert!(reason.starts_with("the input is not an order of API 1 (line "), "{reason}");
            assert!(!reason.contains("s3cret"), "{reason}");
        }
        let reason = parse::<TerminateOrder>(br#"{"api":2,"id":"a"}"#).unwrap_err();
        assert_eq!(reason, "the input uses version 2 of the provider API; this program uses 1");
    }
}
