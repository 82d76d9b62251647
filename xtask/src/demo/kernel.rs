// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's kernel: Debian's cloud kernel package, taken apart in the user's cache folder
//! and never installed. What is kept is the image and the few modules that the guest loads,
//! numbered in the order in which they must be.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use duct::cmd;

use super::apt::Apt;
use crate::cmd::{Step, read};
use crate::ctx::Ctx;

/// Depends on the kernel of the day.
const META_PACKAGE: &str = "linux-image-cloud-amd64";
const WANTED: [&str; 4] = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod"];

pub struct Kernel {
    pub image: PathBuf,
    /// `00-name.ko`, `01-name.ko`, ...
    pub modules: PathBuf,
}

impl Kernel {
    /// The one that an earlier run left in the cache, else a new download.
    pub fn ready(ctx: &Ctx) -> Result<Kernel> {
        let cache = ctx.cache.join("guest-kernel");
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
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
    let work = tempfile::Builder::new().prefix(".new-").tempdir_in(cache)?;
    let dir = work.path();
    let apt = Apt::new(ctx, META_PACKAGE)?;
    let package = image_package(&apt.control_of(META_PACKAGE)?)
        .with_context(|| format!("{META_PACKAGE} depends on no kernel"))?;
    let download = apt.download(&package).dir(dir);
    Step::new(format!("download {package}"), "guest-kernel", download).run(ctx)?;
    let deb = only_file(dir, ".deb")?;
    read(&cmd!("dpkg-deb", "-x", &deb, dir.join("all")))?;

    let kept = dir.join("kept");
    fs::create_dir_all(kept.join("modules"))?;
    let image = only_file(&dir.join("all/boot"), "vmlinuz")?;
    fs::rename(image, kept.join("vmlinuz"))?;
    keep_modules(&dir.join("all"), &kept.join("modules"))?;

    let name = deb.file_stem().context("a package without a name")?;
    let home = cache.join(name);
    if let Err(error) = fs::rename(&kept, &home) {
        // Another run may have been faster.
        if !home.join("vmlinuz").is_file() {
            return Err(error).with_context(|| format!("cannot create {}", home.display()));
        }
    }
    Ok(home)
}

fn keep_modules(unpacked: &Path, kept: &Path) -> Result<()> {
    // Debian 13's package has them below /usr.
    let base = [unpacked.join("usr"), unpacked.to_path_buf()]
        .into_iter()
        .find(|base| base.join("lib/modules").is_dir())
        .context("the kernel package has no modules")?;
    let all = only_file(&base.join("lib/modules"), "")?;
    let release = all.file_name().context("no kernel release")?;
    read(&cmd!("/sbin/depmod", "-b", &base, release))?;
    let dependencies = fs::read_to_string(all.join("modules.dep"))?;
    let builtin = fs::read_to_string(all.join("modules.builtin"))?;
    for (n, path) in load_order(&dependencies, &builtin, &WANTED)?.iter().enumerate() {
        let target = kept.join(format!("{n:02}-{}.ko", module_name(path)));
        if path.ends_with(".xz") {
            read(&cmd!("xz", "-dc", all.join(path)).stdout_path(target))?;
        } else {
            fs::copy(all.join(path), target)?;
        }
    }
    Ok(())
}

/// The one entry of a folder whose name contains `part`.
fn only_file(dir: &Path, part: &str) -> Result<PathBuf> {
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

/// `kernel/drivers/scsi/sd_mod.ko.xz` is called `sd_mod`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split(".ko").next().unwrap_or(file);
    stem.replace('-', "_")
}

/// The paths of the wanted modules and of all that they need, each after its needs.
fn load_order(dependencies: &str, builtin: &str, wanted: &[&str]) -> Result<Vec<String>> {
    let mut needs = HashMap::new();
    let mut paths = HashMap::new();
    for line in dependencies.lines() {
        if let Some((path, list)) = line.split_once(':') {
            needs.insert(path, list.split_whitespace().collect::<Vec<_>>());
            paths.insert(module_name(path), path);
        }
    }
    let mut order = Vec::new();
    for name in wanted {
        match paths.get(*name) {
            Some(path) => visit(path, &needs, &mut order),
            None if builtin.lines().any(|path| module_name(path) == *name) => (),
            None => bail!("the kernel package has no module {name}"),
        }
    }
    Ok(order)
}

fn visit(path: &str, needs: &HashMap<&str, Vec<&str>>, order: &mut Vec<String>) {
    if order.iter().any(|done| done == path) {
        return;
    }
    for need in needs.get(path).into_iter().flatten() {
        visit(need, needs, order);
    }
    order.push(path.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDENCIES: &str = "\
        k/virtio_pci.ko: k/virtio_pci_modern_dev.ko k/virtio.ko k/virtio_ring.ko\n\
        k/virtio_pci_modern_dev.ko:\n\
        k/virtio.ko: k/virtio_ring.ko\n\
        k/virtio_ring.ko:\n\
        k/virtio-rng.ko.xz: k/virtio.ko k/virtio_ring.ko\n";

    #[test]
    fn each_module_comes_after_what_it_needs() {
        let order = load_order(DEPENDENCIES, "", &["virtio_pci", "virtio_rng"]).unwrap();
        let names: Vec<_> = order.iter().map(|path| module_name(path)).collect();
        assert_eq!(
            names,
            ["virtio_pci_modern_dev", "virtio_ring", "virtio", "virtio_pci", "virtio_rng"]
        );
    }

    #[test]
    fn built_in_is_as_good_as_a_module_and_neither_is_an_error() {
        assert!(load_order("", "k/scsi/sd_mod.ko\n", &["sd_mod"]).unwrap().is_empty());
        let error = load_order(DEPENDENCIES, "", &["sd_mod"]).unwrap_err();
        assert!(error.to_string().contains("sd_mod"), "{error}");
    }

    #[test]
    fn the_metapackage_names_its_kernel() {
        let control = "Package: meta\nDepends: base, linux-image-6.1.0-1-cloud-amd64 (= 6.1.1-1)\n";
        assert_eq!(image_package(control).as_deref(), Some("linux-image-6.1.0-1-cloud-amd64"));
        assert_eq!(image_package("Package: meta\n"), None);
    }
}
