// SPDX-License-Identifier: GPL-2.0-or-later
//! `exports.txt` is the one list of what the library defines for others. The
//! header declares it in the same order; that the plain static library defines
//! it is seen in `staticlib.rs`, that QEMU's one object does by `cargo xtask test`.

const EXPORTS: &str = include_str!("../exports.txt");
const HEADER: &str = include_str!("../include/system/iothread.h");

/// Declared elsewhere: by QEMU's QAPI generator, and in the glue.
const NOT_IN_THE_HEADER: [&str; 2] = ["qmp_query_iothreads", "qemu_iothread_type_info"];

fn exports() -> impl Iterator<Item = &'static str> {
    EXPORTS.lines().filter(|line| !line.starts_with('#'))
}

/// The functions that the header declares: a name and a parenthesis on a line
/// that begins with a type.
fn declared() -> impl Iterator<Item = &'static str> {
    HEADER
        .lines()
        .filter(|line| line.starts_with(char::is_alphabetic))
        .filter(|line| !line.starts_with("static inline "))
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit_once([' ', '*']))
        .map(|(_, name)| name)
}

#[test]
fn the_header_declares_what_is_exported_in_the_same_order() {
    let listed: Vec<_> = exports().filter(|name| !NOT_IN_THE_HEADER.contains(name)).collect();
    assert_eq!(declared().collect::<Vec<_>>(), listed);
}

#[test]
fn what_no_header_of_ours_declares_stands_last() {
    let all: Vec<_> = exports().collect();
    assert!(all.ends_with(&NOT_IN_THE_HEADER), "{all:?}");
}
