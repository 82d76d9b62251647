// SPDX-License-Identifier: GPL-2.0-or-later
//! `demo`: Boots a Linux guest that does checked I/O through Rust IOThreads.
//!
//! The guest is Debian's cloud kernel with an initramfs of busybox and one script. Its disks
//! are at work one after the other, so that the CPU time of each IOThread tells which disk it
//! served. Data is compared in the guest and, once the guest is gone, in the images.

mod accel;
mod apt;
mod disks;
mod guest;
mod initramfs;
mod judge;
mod kernel;
mod machine;
mod modules;
mod pool;
mod table;
mod threads;

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;

use crate::build::{self, Built, Flavor};
use crate::ctx::Ctx;
use crate::flags;
use crate::version::Point;
use accel::Accel;
pub use accel::kvm_failed;
use disks::{DISKS, Disk, HOT_DISK, IDLE_THREAD};
use guest::Guest;
use judge::{Evidence, Moved};
use kernel::Kernel;
use machine::Machine;
use threads::IoThread;

pub fn run(ctx: &Ctx, args: &flags::Demo) -> Result<()> {
    let built = build::build(ctx, &ctx.tree, args.at, Flavor::Default)?;
    let start = Instant::now();
    show(ctx, &built, args.at)?;
    ctx.ui.say(format!("guest done in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

fn show(ctx: &Ctx, built: &Built, at: Point) -> Result<()> {
    let kernel = Kernel::ready(ctx)?;
    let program = built.build.join("qemu-system-x86_64");
    let accel = Accel::choose(ctx, &program, &kernel)?;
    let dir = machine::dir()?;
    let machine = machine(&program, accel, &kernel, dir.path())?;
    let images = images(dir.path())?;

    ctx.ui.say(format!("booting a guest under {} ...", accel.name()));
    let start = Instant::now();
    let mut guest = Guest::boot(&machine)?;
    ctx.ui.say(format!(
        "Linux {} is up on {} CPUs after {:.1} s",
        guest.ready.ready,
        guest.ready.cpus,
        start.elapsed().as_secs_f64()
    ));
    let mut evidence = Vec::new();
    for disk in &DISKS {
        ctx.ui.say(format!("{}: the guest writes and reads back ...", disk.title));
        evidence.push(exercise(&mut guest, disk)?);
    }
    let threads = IoThread::query(&mut guest.qmp)?;
    // Before the tip, users come and go without a trace, or only some of them leave one.
    let played = if at == Point::Tip {
        ctx.ui.say(format!("{}: plugged in, used, unplugged ...", HOT_DISK.title));
        Some(pool::play(&mut guest, dir.path())?)
    } else {
        None
    };
    guest.power_off()?;
    // The images are open: what Ctrl-C finds from here on leaves nothing behind.
    drop(dir);

    out!("query-iothreads of QEMU at {at} (* serves the disk):");
    out!("{}", table::of_threads(&threads, &evidence));
    for (seen, image) in evidence.iter().zip(&images) {
        seen.judge()?;
        seen.checked.verify_image(seen.disk, image)?;
    }
    out!("{}", table::of_disks(&evidence));
    if let Some((scenes, seen)) = played {
        seen.judge()?;
        out!("an IOThread from a pool, as its users come and go:");
        out!("{}", table::of_scenes(&scenes));
    }
    Ok(())
}

/// The machine with its IOThreads and disks.
fn machine(program: &Path, accel: Accel, kernel: &Kernel, dir: &Path) -> Result<Machine> {
    let mut machine = Machine::bare(program, kernel, dir)?;
    machine.accel = accel;
    let threads = DISKS.iter().flat_map(|disk| disk.threads).chain([&IDLE_THREAD]);
    for thread in threads {
        let object = json!({ "qom-type": "iothread", "id": thread });
        machine.extra.extend(["-object".into(), object.to_string()]);
    }
    for disk in &DISKS {
        machine.extra.extend(["-blockdev".into(), disk.blockdev().to_string()]);
        for device in disk.devices() {
            machine.extra.extend(["-device".into(), device.to_string()]);
        }
    }
    Ok(machine)
}

fn images(dir: &Path) -> Result<Vec<File>> {
    DISKS.iter().map(|disk| disk.create_image(dir)).collect()
}

/// One disk at work, all others idle.
fn exercise(guest: &mut Guest, disk: &'static Disk) -> Result<Evidence> {
    let threads = IoThread::query(&mut guest.qmp)?;
    let moved = Moved::by(disk, &mut guest.qmp)?;
    let cpu = threads::cpu_times(guest.pid(), &threads)?;
    let answer = guest.command(&disk.check_command())?;
    let used = threads::used(&cpu, &threads::cpu_times(guest.pid(), &threads)?);
    let checked: disks::Checked =
        serde_json::from_value(answer).context("unexpected answer of the guest")?;
    checked.verify_in_guest(disk)?;
    Ok(Evidence { disk, checked, used, moved: Moved::by(disk, &mut guest.qmp)?.since(moved) })
}
