// SPDX-License-Identifier: GPL-2.0-or-later
//! What a holder's name says about the holder.
//!
//! A name is any text; how it begins tells what it names. C callers build names
//! by the header's helpers.

/// How the name of a block export begins, which its id follows.
const EXPORT: &str = "block-export:";
/// How the name of a block node begins, which its node-name follows.
const NODE: &str = "block-node:";
/// How the name of a monitor begins, which its character device's label follows.
const MONITOR: &str = "monitor:";
/// How the name of an object begins, which is its absolute QOM path.
const PATH: &str = "/";

/// What a holder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An object, a device for one: its QOM path is shown.
    QomObject,
    /// A block export: its id is shown.
    BlockExport,
    /// A block node that is there on its own account: its node-name is shown.
    BlockNode,
    /// A monitor: the label of its character device is shown.
    Monitor,
    /// Anything else: the whole name is shown.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] =
        [Kind::QomObject, Kind::BlockExport, Kind::BlockNode, Kind::Monitor, Kind::Other];
}

/// What `name` is the name of, and at which of its bytes begins what is shown.
pub fn classify(name: &[u8]) -> (Kind, usize) {
    // Slices compared by == call a function of core's that rustc 1.85 does not put into the object.
    let is = |head: &str| {
        name.len() >= head.len() && name.iter().zip(head.as_bytes()).all(|(a, b)| a == b)
    };
    if is(PATH) {
        (Kind::QomObject, 0)
    } else if is(EXPORT) {
        (Kind::BlockExport, EXPORT.len())
    } else if is(NODE) {
        (Kind::BlockNode, NODE.len())
    } else if is(MONITOR) {
        (Kind::Monitor, MONITOR.len())
    } else {
        (Kind::Other, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> (Kind, &str) {
        let (kind, from) = classify(name.as_bytes());
        (kind, &name[from..])
    }

    #[test]
    fn each_kind_is_told_by_how_its_name_begins() {
        assert_eq!(shown("/machine/peripheral/d0"), (Kind::QomObject, "/machine/peripheral/d0"));
        assert_eq!(shown("block-export:e0"), (Kind::BlockExport, "e0"));
        assert_eq!(shown("block-node:n0"), (Kind::BlockNode, "n0"));
        assert_eq!(shown("monitor:compat_monitor0"), (Kind::Monitor, "compat_monitor0"));
    }

    #[test]
    fn the_header_builds_names_that_begin_so() {
        let header = include_str!("../../include/system/iothread.h");
        for head in [EXPORT, NODE, MONITOR] {
            let calls = header.matches(&std::format!("g_strconcat(\"{head}\", ")).count();
            assert_eq!(calls, 1, "{head}");
        }
        assert_eq!(header.matches("g_strconcat(").count(), 3);
    }

    #[test]
    fn what_looks_like_none_of_them_is_shown_whole() {
        for name in ["x", "block-export", "Block-Export:e", " /a", "monitors:m", "node:n"] {
            assert_eq!(shown(name), (Kind::Other, name));
        }
    }

    #[test]
    fn the_rest_of_a_name_may_be_anything() {
        assert_eq!(shown("block-export:"), (Kind::BlockExport, ""));
        assert_eq!(shown("block-node:monitor:/"), (Kind::BlockNode, "monitor:/"));
        assert_eq!(shown("block-export:ä:🧵"), (Kind::BlockExport, "ä:🧵"));
    }
}
