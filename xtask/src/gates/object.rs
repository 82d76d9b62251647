// SPDX-License-Identifier: GPL-2.0-or-later
//! The one object: what it defines, what it asks for, that it brings no runtime.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use duct::cmd;

use super::nm;
use crate::build::library::OBJECT;
use crate::cmd::read;

/// Parts of names that only a panic path, an allocator or std brings.
const RUNTIME: &[&str] = &[
    "panic",
    "unwrap_failed",
    "expect_failed",
    "_ZN3std",
    "_ZN5alloc",
    "5alloc",
    "__rust",
    "__rdl",
    "rust_eh_personality",
    "_Unwind",
];

pub fn exports(root: &Path, build: &Path) -> Result<()> {
    let path = root.join("exports.txt");
    let text = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
    let wanted: BTreeSet<String> =
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_string).collect();
    let found = nm::names(&build.join(OBJECT), &["--defined-only", "--extern-only"])?;
    same("listed and not defined", wanted.difference(&found))?;
    same("defined and not listed", found.difference(&wanted))
}

/// The object may be another than the one in `build`, whose program tells what QEMU offers.
pub fn undefined(dir: &Path, build: &Path) -> Result<()> {
    let asked = nm::names(&dir.join(OBJECT), &["--undefined-only"])?;
    let mut known = BTreeSet::new();
    for library in libraries(build)? {
        known.extend(nm::offered(&library)?);
    }
    let qemu = nm::defined(&build.join("qemu-system-x86_64"))?;
    // Rust's own names are mangled; QEMU's are C.
    known.extend(
        qemu.into_iter().filter(|name| !name.starts_with("_ZN") && !name.starts_with("_R")),
    );
    same("neither QEMU's nor glib's nor libc's", asked.difference(&known))
}

pub fn asks_for(build: &Path, symbol: &str) -> Result<()> {
    let asked = nm::names(&build.join(OBJECT), &["--undefined-only"])?;
    ensure!(asked.contains(symbol), "{OBJECT} does not ask for {symbol}");
    Ok(())
}

pub fn runtime(build: &Path) -> Result<()> {
    let all = nm::names(&build.join(OBJECT), &[])?;
    same("of a runtime", all.iter().filter(|name| RUNTIME.iter().any(|part| name.contains(part))))
}

/// glib and libc, as the program that is linked with them finds them.
fn libraries(build: &Path) -> Result<Vec<PathBuf>> {
    let text = read(&cmd!("ldd", build.join("qemu-system-x86_64")))?;
    let wanted = ["libglib-2.0.so", "libc.so"];
    let found: Vec<PathBuf> = text
        .lines()
        .filter(|line| wanted.iter().any(|name| line.trim().starts_with(name)))
        .filter_map(|line| line.split_whitespace().nth(2).map(PathBuf::from))
        .collect();
    if found.len() != wanted.len() {
        bail!("qemu-system is not linked with glib and libc:\n{text}");
    }
    Ok(found)
}

fn same<'a>(what: &str, names: impl Iterator<Item = &'a String>) -> Result<()> {
    let names: Vec<_> = names.map(String::as_str).collect();
    if !names.is_empty() {
        bail!("{what}: {}", names.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use duct::cmd;

    /// A build directory with an object made of this C.
    fn object(source: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join(OBJECT);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        cmd!("cc", "-x", "c", "-c", "-o", &to, "-").stdin_bytes(source).run().unwrap();
        dir
    }

    #[test]
    fn one_export_too_many_or_too_few_fails() {
        let build =
            object("int a; int b(void) { return a; } static int c; int *d(void) { return &c; }");
        let root = tempfile::tempdir().unwrap();
        let list = |text: &str| fs::write(root.path().join("exports.txt"), text).unwrap();
        list("# a comment\na\nb\nd\n");
        exports(root.path(), build.path()).unwrap();
        list("a\nb\n");
        assert!(
            exports(root.path(), build.path()).unwrap_err().to_string().contains("not listed: d")
        );
        list("a\nb\nd\ne\n");
        assert!(
            exports(root.path(), build.path()).unwrap_err().to_string().contains("not defined: e")
        );
    }

    #[test]
    fn a_panic_path_fails() {
        let build = object(
            "void _ZN4core9panicking5panic17h0E(void); void f(void) { _ZN4core9panicking5panic17h0E(); }",
        );
        assert!(runtime(build.path()).is_err());
        runtime(object("void f(void) {}").path()).unwrap();
    }
}
