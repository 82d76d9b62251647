// SPDX-License-Identifier: GPL-2.0-or-later
//! Two records of the same conversation, side by side, byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use super::schema;
use super::talk::Talk;

/// One place where the series does not do as plain C does.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub item: String,
    pub base: String,
    pub series: String,
}

/// What a side shows that has nothing at this place.
pub const NOTHING: &str = "(nothing)";

/// How two descriptions of all of QMP are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemas {
    /// As all else is: not a byte may differ.
    AsTheyStand,
    /// Where something may be new, which numbers the types anew.
    ByStructure,
}

pub fn conversations(base: &[Talk], series: &[Talk], how: Schemas) -> Vec<Difference> {
    let mut found = Vec::new();
    for (base, series) in base.iter().zip(series) {
        let mut note = |item: String, base: &str, series: &str| {
            if base != series {
                found.push(Difference { item, base: base.into(), series: series.into() });
            }
        };
        let name = &base.name;
        let rows = base.exchanges.len().max(series.exchanges.len());
        for row in 0..rows {
            let (ours, theirs) = (base.exchanges.get(row), series.exchanges.get(row));
            let sent = ours.or(theirs).map_or("", |(sent, _)| sent);
            let reply = |side: Option<&(String, String)>| {
                side.map_or_else(|| NOTHING.to_string(), |(_, reply)| reply.clone())
            };
            let (ours, theirs) = (reply(ours), reply(theirs));
            let by_structure = how == Schemas::ByStructure;
            let both = by_structure.then(|| schemas(sent, &ours, &theirs)).flatten();
            if let Some(both) = both {
                for (entry, ours, theirs) in both {
                    note(format!("{name}: {} {entry}", schema::COMMAND), &ours, &theirs);
                }
            } else {
                note(format!("{name}: {sent}"), &ours, &theirs);
            }
        }
        for row in 0..base.events.len().max(series.events.len()) {
            let event =
                |side: &Talk| side.events.get(row).cloned().unwrap_or_else(|| NOTHING.to_string());
            note(format!("{name}: event {}", row + 1), &event(base), &event(series));
        }
        note(format!("{name}: other output"), &base.stdout_rest, &series.stdout_rest);
        note(format!("{name}: stderr"), &base.stderr, &series.stderr);
        note(format!("{name}: end"), &base.end, &series.end);
    }
    found
}

/// Two replies that describe all of QMP, as far as the one or the other knows the command.
fn schemas(sent: &str, base: &str, series: &str) -> Option<Vec<(String, String, String)>> {
    if !sent.contains(schema::COMMAND) {
        return None;
    }
    let (base, series) = (schema::entries(base)?, schema::entries(series)?);
    let names: BTreeSet<&String> = base.keys().chain(series.keys()).collect();
    let of = |side: &BTreeMap<String, String>, name: &String| {
        side.get(name).cloned().unwrap_or_else(|| NOTHING.to_string())
    };
    Some(names.into_iter().map(|name| (name.clone(), of(&base, name), of(&series, name))).collect())
}

/// The part of two long texts where they begin to differ, with `around` characters on each side.
pub fn excerpt(base: &str, series: &str, around: usize) -> (String, String) {
    let same = base.chars().zip(series.chars()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(around);
    let cut = |text: &str| {
        let mut part: String = text.chars().skip(from).take(2 * around).collect();
        if from > 0 {
            part.insert_str(0, "... ");
        }
        if text.chars().count() > from + 2 * around {
            part.push_str(" ...");
        }
        part
    };
    (cut(base), cut(series))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Talk {
        Talk {
            name: "s".into(),
            exchanges: vec![("ask".into(), "yes".into()), ("again".into(), "no".into())],
            events: vec!["STOP".into()],
            end: "exit code 0".into(),
            ..Talk::default()
        }
    }

    fn items(other: Talk) -> Vec<String> {
        let found = conversations(&[talk()], &[other], Schemas::ByStructure);
        found.into_iter().map(|difference| difference.item).collect()
    }

    #[test]
    fn equal_records_have_no_difference() {
        assert!(items(talk()).is_empty());
    }

    #[test]
    fn each_part_is_compared() {
        let mut other = talk();
        other.exchanges[1].1 = "No".into();
        other.events.push("RESUME".into());
        other.stdout_rest = "x".into();
        other.stderr = "warning".into();
        other.end = "signal 6".into();
        let wanted = ["s: again", "s: event 2", "s: other output", "s: stderr", "s: end"];
        assert_eq!(items(other), wanted);
    }

    #[test]
    fn a_record_that_stops_early_differs() {
        let mut other = talk();
        other.exchanges.pop();
        let found = conversations(&[talk()], &[other], Schemas::ByStructure);
        assert_eq!((found[0].base.as_str(), found[0].series.as_str()), ("no", NOTHING));
    }

    #[test]
    fn types_may_be_numbered_anew_only_where_something_is_new() {
        let schema = |number: u32| {
            let types = format!(r#"{{"name": "{number}", "meta-type": "object", "members": []}}"#);
            let command =
                format!(r#"{{"name": "c", "meta-type": "command", "arg-type": "{number}"}}"#);
            let reply = format!(r#"{{"return": [{types}, {command}]}}"#);
            [Talk { exchanges: vec![(schema::COMMAND.into(), reply)], ..talk() }]
        };
        assert!(conversations(&schema(1), &schema(2), Schemas::ByStructure).is_empty());
        assert_eq!(conversations(&schema(1), &schema(2), Schemas::AsTheyStand).len(), 1);
    }

    #[test]
    fn an_excerpt_shows_where_it_differs() {
        assert_eq!(excerpt("ab", "ac", 5), ("ab".into(), "ac".into()));
        let (base, series) = (format!("{}x{}", "a".repeat(99), "b".repeat(99)), "a".repeat(99));
        assert_eq!(excerpt(&base, &series, 3), ("... aaaxbb ...".into(), "... aaa".into()));
    }
}
