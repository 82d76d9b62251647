// SPDX-License-Identifier: GPL-2.0-or-later
//! What is written about this tool, held against the tool; and facts that stand in two files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use regex_lite::Regex;

use crate::flags::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// What people read: all Markdown, and the examples in `--help`.
fn texts() -> Vec<(PathBuf, String)> {
    let dirs = ["", "docs", "patches"].map(|dir| root().join(dir));
    let entries = dirs.iter().flat_map(|dir| fs::read_dir(dir).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let prose = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let files: Vec<_> = prose.chain([root().join("xtask/src/flags.rs")]).collect();
    assert!(files.len() > 5, "{files:?}");
    files.into_iter().map(|path| (path.clone(), read(path))).collect()
}

/// True if the command line is one that this tool takes.
fn parses(line: &str) -> bool {
    // A tree of the reader's own stands for any QEMU.
    let words = shlex::split(&line.replace("~/src/qemu", "10.2")).unwrap();
    let helps = [ErrorKind::DisplayHelp, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    match Cli::try_parse_from(words.iter().skip(1)) {
        Ok(_) => true,
        Err(error) => helps.contains(&error.kind()),
    }
}

#[test]
fn every_command_in_the_texts_can_be_typed() {
    // It ends where code does, a comment begins, or two spaces part it from what it is about.
    let line = Regex::new(r"cargo xtask(?: [^\s`#(|\\'\x22]+)*").unwrap();
    let mut seen = 0;
    for (path, text) in texts() {
        for found in line.find_iter(&text) {
            let command = found.as_str().trim_end_matches(['.', ',', ';']);
            assert!(parses(command), "{}: {command}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
    assert!(!parses("cargo xtask frobnicate") && !parses("cargo xtask test --slow"));
}

#[test]
fn every_link_leads_to_a_file() {
    let link = Regex::new(r"\]\(([^)#:]+)\)").unwrap();
    for (path, text) in texts() {
        for found in link.captures_iter(&text) {
            let there = path.parent().unwrap().join(&found[1]);
            assert!(there.exists(), "{}: {}", path.display(), &found[1]);
        }
    }
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = Regex::new(r#"(?m)^version = "(.+)"$"#).unwrap();
    let version = version.captures(&read("Cargo.toml")).unwrap()[1].to_string();
    assert!(read("meson.build").contains(&format!("version: '{version}'")));
    assert!(read("CHANGELOG.md").contains(&format!("\n## {version}")));
}

#[test]
fn wrong_usage_is_told_apart() {
    Cli::command().debug_assert();
    for wrong in [
        "",
        "test --quick --full",
        "test --resume",
        "test --quick --resume",
        "build --at nowhere",
        "bisect --from 0",
        "dual --builds a",
    ] {
        let words = ["xtask"].into_iter().chain(wrong.split_whitespace());
        let error = Cli::try_parse_from(words).err().map(|error| error.exit_code());
        assert_eq!(error, Some(2), "{wrong}");
    }
}
