// SPDX-License-Identifier: GPL-2.0-or-later
//! The guest's disks: which IOThreads serve each, how QEMU is told, and the proof that what
//! the guest wrote is what lies in the image.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const IMAGE_BYTES: u64 = 64 << 20;
const MIB_PER_WORKER: u64 = 4;

/// How a disk is attached.
#[derive(Clone, Copy)]
enum Bus {
    Blk,
    Scsi,
}

pub struct Disk {
    /// Its serial number, node name and image name; its device is called `disk-<name>`.
    pub name: &'static str,
    pub title: &'static str,
    /// The IOThreads that serve it; more than one means `iothread-vq-mapping`.
    pub threads: &'static [&'static str],
    bus: Bus,
}

pub const DISKS: [Disk; 3] = [
    Disk { name: "blk", title: "virtio-blk", threads: &["blk0"], bus: Bus::Blk },
    Disk {
        name: "vq",
        title: "virtio-blk, iothread-vq-mapping",
        threads: &["vq0", "vq1"],
        bus: Bus::Blk,
    },
    Disk { name: "scsi", title: "virtio-scsi", threads: &["scsi0"], bus: Bus::Scsi },
];

/// Plugged in while the guest runs, on an IOThread of its own.
pub const HOT_DISK: Disk =
    Disk { name: "hot", title: "virtio-blk, hot-plugged", threads: &["pool"], bus: Bus::Blk };

/// An IOThread that serves nobody, to compare with.
pub const IDLE_THREAD: &str = "idle";

/// The guest's account of one `check`.
#[derive(Debug, Deserialize)]
pub struct Checked {
    pub device: String,
    regions: Vec<Region>,
}

#[derive(Debug, Deserialize)]
struct Region {
    offset: u64,
    bytes: u64,
    /// SHA-256 of what was written, and of what was read back.
    wrote: String,
    read: String,
}

impl Disk {
    /// A sparse image; the open file outlives its name.
    pub fn create_image(&self, dir: &Path) -> Result<File> {
        let path = dir.join(self.name);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        file.set_len(IMAGE_BYTES)?;
        Ok(file)
    }

    /// The image is named relative to the folder in which QEMU runs.
    pub fn blockdev(&self) -> Value {
        json!({
            "driver": "raw",
            "node-name": self.name,
            "file": { "driver": "file", "filename": self.name },
        })
    }

    /// What `-device` or `device_add` takes, in order.
    pub fn devices(&self) -> Vec<Value> {
        let (name, id) = (self.name, format!("disk-{}", self.name));
        match self.bus {
            Bus::Scsi => {
                let adapter = format!("adapter-{name}");
                vec![
                    json!({ "driver": "virtio-scsi-pci", "id": adapter,
                            "iothread": self.threads[0] }),
                    json!({ "driver": "scsi-hd", "id": id, "bus": format!("{adapter}.0"),
                            "drive": name, "serial": name }),
                ]
            }
            Bus::Blk => {
                let mut device = json!({ "driver": "virtio-blk-pci", "id": id,
                                         "drive": name, "serial": name });
                if let [thread] = self.threads {
                    device["iothread"] = json!(thread);
                } else {
                    let mapping = self.threads.iter().map(|thread| json!({ "iothread": thread }));
                    device["iothread-vq-mapping"] = mapping.collect();
                }
                vec![device]
            }
        }
    }

    /// The command that lets the guest write and read back: one worker for each IOThread.
    pub fn check_command(&self) -> String {
        format!("check {} {MIB_PER_WORKER} {}", self.name, self.threads.len())
    }

    /// How much a check moves in each direction.
    pub fn checked_bytes(&self) -> u64 {
        self.threads.len() as u64 * (MIB_PER_WORKER << 20)
    }
}

impl Checked {
    /// The guest read back what it wrote, and all of it.
    pub fn verify_in_guest(&self, disk: &Disk) -> Result<()> {
        let total: u64 = self.regions.iter().map(|region| region.bytes).sum();
        ensure!(
            total == disk.checked_bytes(),
            "{}: the guest checked {total} bytes of {}",
            disk.name,
            disk.checked_bytes()
        );
        for region in &self.regions {
            ensure!(
                region.wrote == region.read,
                "{}: the guest wrote {} at {} and read back {}",
                disk.name,
                region.wrote,
                region.offset,
                region.read
            );
        }
        Ok(())
    }

    /// The image holds what the guest says that it wrote.
    pub fn verify_image(&self, disk: &Disk, image: &File) -> Result<()> {
        for region in &self.regions {
            let length = usize::try_from(region.bytes)?;
            let mut data = vec![0; length];
            image
                .read_exact_at(&mut data, region.offset)
                .with_context(|| format!("cannot read the image of {}", disk.name))?;
            let found = format!("{:x}", Sha256::digest(&data));
            ensure!(
                found == region.wrote,
                "{}: the guest wrote {} at {}, the image holds {found}",
                disk.name,
                region.wrote,
                region.offset
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: &Disk = &DISKS[1];

    /// An image as a guest leaves it that did its work well, and its account of that.
    fn checked_image(dir: &Path) -> (File, Checked) {
        let image = DISK.create_image(dir).unwrap();
        let bytes = MIB_PER_WORKER << 20;
        let regions = (0..DISK.threads.len() as u64).map(|worker| {
            let data: Vec<u8> = (0..bytes).map(|i| (i * (worker + 3) % 251) as u8).collect();
            image.write_all_at(&data, worker * bytes).unwrap();
            let sum = format!("{:x}", Sha256::digest(&data));
            json!({ "offset": worker * bytes, "bytes": bytes, "wrote": sum, "read": sum })
        });
        let regions: Vec<Value> = regions.collect();
        let answer = json!({ "disk": "vq", "device": "/dev/vdb", "regions": regions });
        (image, serde_json::from_value(answer).unwrap())
    }

    #[test]
    fn one_flipped_bit_in_the_image_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (image, checked) = checked_image(dir.path());
        checked.verify_in_guest(DISK).unwrap();
        checked.verify_image(DISK, &image).unwrap();

        let place = (MIB_PER_WORKER << 20) + 4711;
        let mut byte = [0];
        image.read_exact_at(&mut byte, place).unwrap();
        image.write_all_at(&[byte[0] ^ 1], place).unwrap();
        let error = checked.verify_image(DISK, &image).unwrap_err();
        assert!(error.to_string().contains("the image holds"), "{error}");
    }

    #[test]
    fn what_the_guest_reads_wrong_or_leaves_out_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (_image, mut checked) = checked_image(dir.path());
        checked.regions[1].read = "0".repeat(64);
        let error = checked.verify_in_guest(DISK).unwrap_err();
        assert!(error.to_string().contains("read back"), "{error}");
        checked.regions.pop();
        assert!(checked.verify_in_guest(DISK).is_err());
    }

    #[test]
    fn an_iothread_is_named_directly_or_by_mapping() {
        assert_eq!(DISKS[0].devices()[0]["iothread"], "blk0");
        assert_eq!(
            DISKS[1].devices()[0]["iothread-vq-mapping"],
            json!([{ "iothread": "vq0" }, { "iothread": "vq1" }])
        );
        assert_eq!(DISKS[2].devices()[0]["iothread"], "scsi0");
        assert_eq!(DISKS[2].devices()[1]["bus"], "adapter-scsi.0");
    }
}
