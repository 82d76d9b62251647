// SPDX-License-Identifier: GPL-2.0-or-later
//! The few modules that the guest loads, numbered in the order in which they must be.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use duct::cmd;

use super::kernel::only_file;
use crate::cmd::read;

const WANTED: [&str; 4] = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod"];

/// Copies them out of an unpacked kernel package.
pub fn keep(unpacked: &Path, kept: &Path) -> Result<()> {
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
}
