// SPDX-License-Identifier: GPL-2.0-or-later
//! Firmware of Debian's packages, linked to where an uninstalled QEMU looks for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result, bail};

const FIRMWARE: &[(&str, &str)] =
    &[("/usr/share/seabios", "bin"), ("/usr/lib/ipxe/qemu", "rom"), ("/usr/share/qemu", "bin")];

/// Where it looks, by the prefix that it was configured with.
const PLACES: [&str; 2] = ["qemu-bundle/usr/local/share/qemu", "qemu-bundle/usr/share/qemu"];

/// Without these links a guest's start ends in a time-out, not in an error.
pub fn link(build: &Path) -> Result<()> {
    PLACES.iter().try_for_each(|place| link_to(&build.join(place)))
}

fn link_to(to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for (from, extension) in FIRMWARE {
        let entries = fs::read_dir(from)
            .with_context(|| format!("firmware is missing: {from} (cargo xtask setup)"))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let Some(name) = path.file_name() else {
                continue;
            };
            let link = to.join(name);
            if path.extension().is_some_and(|e| e == *extension) && !link.exists() {
                let _ = fs::remove_file(&link);
                symlink(&path, &link).with_context(|| format!("cannot link {}", link.display()))?;
            }
        }
    }
    if !to.join("bios-256k.bin").exists() {
        bail!("bios-256k.bin is in none of the firmware packages");
    }
    Ok(())
}
