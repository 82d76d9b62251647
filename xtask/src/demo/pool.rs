// SPDX-License-Identifier: GPL-2.0-or-later
//! The life of an IOThread from a pool: users come and go while the guest runs, `query-iothreads`
//! tells who they are, and it can be deleted when the last has gone, not before.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::disks::{Disk, HOT_DISK};
use super::exercise;
use super::guest::Guest;
use super::judge::Evidence;
use super::threads::IoThread;
use crate::wait::comes_true;

const EVENT_LIMIT: Duration = Duration::from_secs(60);
const THREAD_LIMIT: Duration = Duration::from_secs(10);

/// The pool's only IOThread.
const POOL: &str = HOT_DISK.threads[0];
const EXPORT: &str = "copy";
/// What is exported.
const SPARE: &str = "spare";

/// One step, and who holds the IOThread after it.
pub struct Scene {
    pub what: String,
    /// None once the IOThread is gone.
    pub holders: Option<String>,
}

/// The scenes in order, and what the hot-plugged disk did.
pub fn play(guest: &mut Guest, dir: &Path) -> Result<(Vec<Scene>, Evidence)> {
    let disk = &HOT_DISK;
    let image = disk.create_image(dir)?;
    let device = format!("disk-{}", disk.name);
    let by_disk = format!("qom-object /machine/peripheral/{device}");
    let by_export = format!("block-export {EXPORT}");
    let mut stage = Stage { guest, scenes: Vec::new() };

    stage.qmp("object-add", json!({ "qom-type": "iothread", "id": POOL }))?;
    stage.scene("object-add", Some(""))?;
    let thread = stage.thread()?.context("the IOThread is not listed")?.thread_id;

    stage.plug(disk)?;
    let evidence = exercise(stage.guest, disk)?;
    stage.scene("device_add; the guest finds the disk, writes, reads back", Some(&by_disk))?;

    let refusal = stage.refused()?;
    stage.scene(&format!("object-del: {refusal}"), Some(&by_disk))?;

    stage.export()?;
    stage.scene("block-export-add", Some(&format!("{by_disk}\n{by_export}")))?;

    stage.qmp("device_del", json!({ "id": device }))?;
    stage.guest.command(&format!("gone {}", disk.name))?;
    stage.await_event("DEVICE_DELETED", "device", &device)?;
    stage.scene("device_del; the guest lets go of the disk", Some(&by_export))?;

    stage.qmp("block-export-del", json!({ "id": EXPORT }))?;
    stage.await_event("BLOCK_EXPORT_DELETED", "id", EXPORT)?;
    stage.scene("block-export-del", Some(""))?;

    stage.qmp("object-del", json!({ "id": POOL }))?;
    let task = format!("/proc/{}/task/{thread}", stage.guest.pid());
    // One that was joined is still listed for a moment.
    let gone = comes_true(THREAD_LIMIT, || Ok(!fs::exists(&task)?))?;
    ensure!(gone, "the thread of a deleted IOThread still runs");
    stage.scene("object-del: the IOThread and its thread are gone", None)?;

    evidence.checked.verify_image(disk, &image)?;
    Ok((stage.scenes, evidence))
}

struct Stage<'a> {
    guest: &'a mut Guest,
    scenes: Vec<Scene>,
}

impl Stage<'_> {
    fn qmp(&mut self, command: &str, arguments: Value) -> Result<Value> {
        self.guest.qmp.execute(command, arguments)
    }

    fn thread(&mut self) -> Result<Option<IoThread>> {
        Ok(IoThread::query(&mut self.guest.qmp)?.into_iter().find(|thread| thread.id == POOL))
    }

    /// Notes who holds the IOThread now, which must be `expected`.
    fn scene(&mut self, what: &str, expected: Option<&str>) -> Result<()> {
        let thread = self.thread()?;
        let holders = thread.map(|thread| thread.holders().context("QEMU shows no holders"));
        let holders = holders.transpose()?;
        ensure!(
            holders.as_deref() == expected,
            "after {what}, the holders of {POOL} are {holders:?} and not {expected:?}"
        );
        self.scenes.push(Scene { what: what.into(), holders });
        Ok(())
    }

    fn plug(&mut self, disk: &Disk) -> Result<()> {
        self.qmp("blockdev-add", disk.blockdev())?;
        for device in disk.devices() {
            self.qmp("device_add", device)?;
        }
        self.guest.command(&format!("wait {}", disk.name))?;
        Ok(())
    }

    /// Why QEMU does not delete the IOThread.
    fn refused(&mut self) -> Result<String> {
        match self.qmp("object-del", json!({ "id": POOL })) {
            Ok(_) => bail!("QEMU deletes an IOThread that a disk uses"),
            Err(error) => match error.downcast_ref::<qapi_spec::Error>() {
                Some(refusal) => Ok(refusal.desc.clone()),
                None => Err(error),
            },
        }
    }

    fn export(&mut self) -> Result<()> {
        let node = json!({ "driver": "null-co", "node-name": SPARE, "size": 1 << 20 });
        self.qmp("blockdev-add", node)?;
        let address = json!({ "type": "unix", "data": { "path": "nbd" } });
        self.qmp("nbd-server-start", json!({ "addr": address }))?;
        let export = json!({ "type": "nbd", "id": EXPORT, "node-name": SPARE, "iothread": POOL });
        self.qmp("block-export-add", export)?;
        Ok(())
    }

    /// Waits for the event about that one: a device and its parts each send one.
    fn await_event(&mut self, event: &str, member: &str, name: &str) -> Result<()> {
        let deadline = Instant::now() + EVENT_LIMIT;
        while self.guest.qmp.wait_for(event, deadline)?[member] != name {}
        Ok(())
    }
}
