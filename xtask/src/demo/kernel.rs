// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's kernel: Debian's cloud kernel package, taken apart in the user's cache folder
//! and never installed. Its image is kept and the modules that the guest needs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use duct::cmd;

use super::apt::Apt;
use super::modules;
use crate::cmd::read;
use crate::ctx::Ctx;
use crate::interrupt;
use crate::lock;

/// Depends on the kernel of the day.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

pub struct Kernel {
    pub image: PathBuf,
    /// `00-name.ko`, `01-name.ko`, ...
    pub modules: PathBuf,
}

impl Kernel {
    /// The one that an earlier run left in the cache, else a new download.
    pub fn ready(ctx: &Ctx) -> Result<Kernel> {
        let cache = ctx.cache.join("guest-kernel");
        let _lock = lock::acquire(ctx, &cache.join("lock"))?;
        let dir = match newest(&cache)? {
            Some(dir) => dir,
            None => fetch(ctx, &cache)?,
        };
        Ok(Kernel { image: dir.join("vmlinuz"), modules: dir.join("modules") })
    }
}

fn newest(cache: &Path) -> Result<Option<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(cache)? {
        let path = entry?.path();
        if path.join("vmlinuz").is_file() {
            found.push(path);
        }
    }
    Ok(found.into_iter().max())
}

/// Nothing appears under its final name before it is whole.
fn fetch(ctx: &Ctx, cache: &Path) -> Result<PathBuf> {
    let work = cache.join("unfinished");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    let deb = match download(ctx, &Apt::of_machine(), &work) {
        Ok(deb) => deb,
        // The machine has no package lists, or lists so old that the mirror dropped the file.
        Err(_) => {
            interrupt::exit_if_interrupted();
            download(ctx, &Apt::of_cache(ctx)?, &work)?
        }
    };
    let all = work.join("all");
    read(&cmd!("dpkg-deb", "-x", &deb, &all))?;
    let kept = work.join("kept");
    fs::create_dir_all(kept.join("modules"))?;
    fs::rename(only_file(&all.join("boot"), "vmlinuz")?, kept.join("vmlinuz"))?;
    modules::keep(&all, &kept.join("modules"))?;

    let home = cache.join(deb.file_stem().context("a package without a name")?);
    fs::rename(&kept, &home).with_context(|| format!("cannot create {}", home.display()))?;
    fs::remove_dir_all(&work)?;
    Ok(home)
}

fn download(ctx: &Ctx, apt: &Apt, work: &Path) -> Result<PathBuf> {
    let control = apt.control_of(META_PACKAGE).with_context(|| {
        format!(
            "apt offers no {META_PACKAGE}: is there a network, and are Debian's sources in \
             /etc/apt/sources.list*?"
        )
    })?;
    let package =
        image_package(&control).with_context(|| format!("{META_PACKAGE} depends on no kernel"))?;
    fs::create_dir_all(work).with_context(|| format!("cannot create {}", work.display()))?;
    apt.download(ctx, &package, work)?;
    only_file(work, ".deb")
}

/// The one entry of a folder whose name contains `part`.
pub fn only_file(dir: &Path, part: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(part) {
            found.push(entry.path());
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([path]) => Ok(path),
        Err(found) => bail!("{} files like {part:?} in {}", found.len(), dir.display()),
    }
}

/// The kernel that a metapackage's control data depends on.
fn image_package(control: &str) -> Option<String> {
    control
        .lines()
        .find_map(|line| line.strip_prefix("Depends:"))?
        .split(',')
        .filter_map(|dependency| dependency.split_whitespace().next())
        .find(|name| name.starts_with("linux-image-"))
        .map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metapackage_names_its_kernel() {
        let control = "Package: meta\nDepends: base, linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1)\n";
        assert_eq!(image_package(control).as_deref(), Some("linux-image-6.1.0-1-cloud-amd64"));
        assert_eq!(image_package("Package: meta\n"), None);
    }
}
