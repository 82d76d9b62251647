// SPDX-License-Identifier: GPL-2.0-or-later
//! The few modules that the guest loads, numbered in the order in which they must be.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use duct::cmd;

use super::kernel::only_file;
use crate::cmd::read;

const WANTED: [&str; 4] = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod"];

/// Copies them, and what they need, out of an unpacked kernel package.
pub fn keep(unpacked: &Path, kept: &Path) -> Result<()> {
    // Debian 13's package has them below /usr.
    let base = [unpacked.join("usr"), unpacked.to_path_buf()]
        .into_iter()
        .find(|base| base.join("lib/modules").is_dir())
        .context("the kernel package has no modules")?;
    let all = only_file(&base.join("lib/modules"), "")?;
    let release = all.file_name().context("no kernel release")?;
    read(&cmd!("/sbin/depmod", "-b", &base, release))?;
    let mut order = Vec::new();
    for name in WANTED {
        let of_package = ["-C", "/dev/null", "--show-depends", name, "-d"].map(Path::new);
        let words = of_package.into_iter().chain([&*base, "-S".as_ref(), release.as_ref()]);
        for path in insmods(&read(&cmd("/sbin/modprobe", words))?) {
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    for (n, path) in order.iter().enumerate() {
        let name = path.file_name().context("a module without a name")?.to_string_lossy();
        let plain = name.trim_end_matches(".xz");
        let target = kept.join(format!("{n:02}-{plain}"));
        if name == plain {
            fs::copy(path, target)?;
        } else {
            read(&cmd!("xz", "-dc", path).stdout_path(target))?;
        }
    }
    Ok(())
}

/// The files of the modules to load, as `modprobe` tells them; what is built in has none.
fn insmods(told: &str) -> Vec<PathBuf> {
    let paths = told.lines().filter_map(|line| line.strip_prefix("insmod "));
    paths.map(|path| path.trim().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_is_as_good_as_a_module() {
        let told = "insmod /k/virtio.ko \nbuiltin sd_mod\ninsmod /k/virtio_blk.ko.xz \n";
        assert_eq!(insmods(told), ["/k/virtio.ko", "/k/virtio_blk.ko.xz"].map(PathBuf::from));
    }
}
