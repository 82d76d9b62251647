// SPDX-License-Identifier: GPL-2.0-or-later
//! The reply to `query-qmp-schema`, command by command.
//!
//! QEMU numbers all types in the order of its source, so that one new type renames all that
//! follow. Here a type is known by its structure instead: a digest of its members and of their
//! types' digests, as far as the deepest type reaches.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What is asked.
pub const COMMAND: &str = "query-qmp-schema";

/// No type is nested deeper than this.
const DEPTH: usize = 24;

/// Members that name a type.
const REFERENCES: [&str; 4] = ["arg-type", "ret-type", "element-type", "type"];

/// Each command and event with a text that changes with its structure; None if it is no schema.
pub fn entries(reply: &str) -> Option<BTreeMap<String, String>> {
    let reply: Value = serde_json::from_str(reply).ok()?;
    let list = reply.get("return")?.as_array()?;
    let named = |entry: &Value| Some((entry["name"].as_str()?.to_string(), entry.clone()));
    let types: BTreeMap<String, Value> = list.iter().filter_map(named).collect();
    let mut digests: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..DEPTH {
        digests =
            types.iter().map(|(name, entry)| (name.clone(), digest(entry, &digests))).collect();
    }
    let public = |entry: &Value| matches!(entry["meta-type"].as_str(), Some("command" | "event"));
    let text =
        |(name, entry): (&String, &Value)| (name.clone(), resolved(entry, &digests).to_string());
    Some(types.iter().filter(|(_, entry)| public(entry)).map(text).collect())
}

fn digest(entry: &Value, digests: &BTreeMap<String, String>) -> String {
    let text = resolved(entry, digests).to_string();
    format!("{:x}", Sha256::digest(text))[..12].to_string()
}

/// The entry without its own name, and with digests in the place of others'.
fn resolved(entry: &Value, digests: &BTreeMap<String, String>) -> Value {
    let mut entry = entry.clone();
    if let Some(members) = entry.as_object_mut() {
        members.remove("name");
    }
    replace(&mut entry, digests);
    entry
}

fn replace(value: &mut Value, digests: &BTreeMap<String, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, digests)),
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(other) if REFERENCES.contains(&name.as_str()) => {
                        let digest = digests.get(other).cloned().unwrap_or_default();
                        *member = Value::String(digest);
                    }
                    _ => replace(member, digests),
                }
            }
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(number: usize, member: &str) -> String {
        format!(
            r#"{{"return": [
                {{"name": "ask", "meta-type": "command", "arg-type": "0", "ret-type": "[{number}]"}},
                {{"name": "other", "meta-type": "event", "arg-type": "0"}},
                {{"name": "0", "meta-type": "object", "members": []}},
                {{"name": "[{number}]", "meta-type": "array", "element-type": "{number}"}},
                {{"name": "{number}", "meta-type": "object",
                  "members": [{{"name": "{member}", "type": "int"}}]}},
                {{"name": "int", "meta-type": "builtin", "json-type": "int"}} ]}}"#
        )
    }

    #[test]
    fn a_number_is_no_difference() {
        assert_eq!(entries(&schema(5, "a")), entries(&schema(7, "a")));
        assert_eq!(entries(&schema(5, "a")).unwrap().len(), 2);
    }

    #[test]
    fn a_member_is_one_for_the_commands_that_reach_it() {
        let (one, two) = (entries(&schema(5, "a")).unwrap(), entries(&schema(5, "b")).unwrap());
        assert_ne!(one["ask"], two["ask"]);
        assert_eq!(one["other"], two["other"]);
    }

    #[test]
    fn anything_else_is_no_schema() {
        assert!(entries("{\"error\": {}}").is_none());
        assert!(entries("x").is_none());
    }
}
