// SPDX-License-Identifier: GPL-2.0-or-later
//! What every verb shares: the places where things lie, the choices of this run, the screen.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::statvfs::statvfs;

use crate::flags::Cli;
use crate::setup::source;
use crate::ui::Ui;
use crate::version::Tree;

/// Less than this is no room: some tools sweep before they give up.
const ROOM: u64 = 4 << 20;

pub struct Ctx {
    /// The crate's root: where `Cargo.toml` and `patches/` lie.
    pub root: PathBuf,
    /// `target/`: everything that is built.
    pub target: PathBuf,
    /// The user's cache folder: downloads, pinned tools, the compiler cache.
    pub cache: PathBuf,
    /// The QEMU this run is about.
    pub tree: Tree,
    /// False under `--no-install`.
    pub may_install: bool,
    pub ui: Ui,
}

impl Ctx {
    pub fn new(cli: &Cli) -> Result<Ctx> {
        let root = crate_root()?;
        refuse_odd_path(&root)?;
        // Before anything is installed for it.
        source::version(&cli.qemu)?;
        Ok(Ctx {
            target: root.join("target"),
            cache: cache_dir()?,
            tree: cli.qemu.clone(),
            may_install: !cli.no_install,
            ui: Ui::new(root.join("target/log")),
            root,
        })
    }

    /// Where the trees of all versions and points lie.
    pub fn qemu_dir(&self) -> PathBuf {
        self.target.join("qemu")
    }

    /// Whether a place that we write to has no room left.
    pub fn is_full(&self) -> bool {
        let full = |dir: &PathBuf| {
            statvfs(dir).is_ok_and(|fs| {
                let no_files = fs.files() > 0 && fs.files_available() == 0;
                no_files || fs.blocks_available() * fs.fragment_size() < ROOM
            })
        };
        [&self.cache, &self.target, &env::temp_dir()].into_iter().any(full)
    }

    /// A path as short as it can be said: relative to the crate's root.
    pub fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

fn crate_root() -> Result<PathBuf> {
    let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest_dir.parent().map(Path::to_path_buf).context("xtask's manifest has no parent directory")
}

/// QEMU is built below it, and its configure takes no such path.
fn refuse_odd_path(root: &Path) -> Result<()> {
    if root.to_string_lossy().contains(|c: char| c.is_whitespace() || c == ':') {
        bail!(
            "QEMU cannot be built below {root:?}: its path has a blank or a colon; move this folder"
        );
    }
    Ok(())
}

fn cache_dir() -> Result<PathBuf> {
    // The XDG specification wants relative paths to be ignored.
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let home = || folder("HOME").map(|home| home.join(".cache"));
    let base = folder("XDG_CACHE_HOME").or_else(home);
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("qemu-iothread"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_qemu_cannot_be_built_below_is_refused() {
        assert!(refuse_odd_path(Path::new("/home/me/qemu-iothread")).is_ok());
        for odd in ["/home/my clone", "/home/a:b", "/home/a\tb"] {
            let error = refuse_odd_path(Path::new(odd)).unwrap_err().to_string();
            assert!(error.contains("move this folder"), "{error}");
        }
    }
}
