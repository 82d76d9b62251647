// SPDX-License-Identifier: GPL-2.0-or-later
//! The example of `query-iothreads` in QEMU's schema, replayed: a real QEMU gives that reply.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::build::Built;
use crate::qemu::Bare;

const SCHEMA: &str = "qapi/iothread.json";

/// The machine that the example is about: one IOThread and a disk that uses it. Its type counts, as
/// the last one named.
const MACHINE: [&str; 9] = [
    "-machine",
    "q35",
    "-S",
    "-object",
    "iothread,id=iothread0",
    "-blockdev",
    "null-co,node-name=node0",
    "-device",
    "virtio-blk-pci,id=disk0,drive=node0,iothread=iothread0",
];

pub fn check(tip: &Built) -> Result<()> {
    let path = tip.source.join(SCHEMA);
    let schema =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (request, reply) = example(&schema).context("the schema has no example")?;
    let mut qemu = Bare::start(&tip.build, &MACHINE.map(String::from))?;
    let command = request["execute"].as_str().context("the example executes nothing")?;
    let real = json!({ "return": qemu.qmp.execute(command, json!({}))? });
    ensure!(masked(&real) == masked(&reply), "the example says {reply}, QEMU says {real}");
    Ok(())
}

/// The first request in the schema's text and its reply.
fn example(schema: &str) -> Option<(Value, Value)> {
    let text: String = schema.lines().filter_map(|line| line.strip_prefix('#')).collect();
    let (request, rest) = text.split_once("-> ")?.1.split_once("<- ")?;
    let first = |text: &str| {
        serde_json::Deserializer::from_str(text).into_iter::<Value>().next().and_then(Result::ok)
    };
    Some((first(request)?, first(rest)?))
}

/// A thread id is another in each run.
fn masked(value: &Value) -> Value {
    let mut value = value.clone();
    for info in value["return"].as_array_mut().into_iter().flatten() {
        info["thread-id"] = json!("masked");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_read_off_the_comments() {
        let schema = "##\n# .. qmp-example::\n#\n#     -> { \"execute\": \"x\" }\n\
                      #     <- { \"return\": [\n#          { \"thread-id\": 7 } ] }\n##\n{ 'command': 'x' }\n";
        let (request, reply) = example(schema).unwrap();
        assert_eq!(request["execute"], "x");
        assert_eq!(masked(&reply), json!({ "return": [{ "thread-id": "masked" }] }));
        assert!(example("##\n# nothing\n##\n").is_none());
    }
}
