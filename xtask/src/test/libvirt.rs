// SPDX-License-Identifier: GPL-2.0-or-later
//! A client that knows nothing of holders: Debian's libvirt. It starts a domain, adds, tunes, pins
//! and deletes IOThreads in it, saves and restores it, with plain C and with the series alike.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use duct::cmd;

use crate::build::Built;
use crate::cmd::{read, succeeds};
use crate::ctx::Ctx;
use crate::report::Outcome;
use crate::setup;

const PACKAGES: &[&str] = &["libvirt-clients", "libvirt-daemon", "libvirt-daemon-driver-qemu"];

/// Not root in there, so that libvirt asks for no user and no service of the machine's.
const USER_NAMESPACE: [&str; 4] = ["unshare", "--user", "--map-user=1000", "--map-group=1000"];

const CONFIGURATION: &str = "stdio_handler = \"file\"\nsecurity_driver = \"none\"\n";

/// Paused: nothing runs in it, and IOThreads are the host's business.
const SCRIPT: &str = "create d.xml --paused; iothreadinfo d; \
    iothreadadd d 2; iothreadset d 2 --poll-max-ns 1234; iothreadpin d 2 0; iothreadinfo d; \
    iothreaddel d 2; iothreadinfo d; iothreadadd d 3; \
    save d d.save; restore d.save --paused; iothreadinfo d; iothreaddel d 3; iothreadinfo d; \
    destroy d";

/// What virsh says if all went well.
const SAYS: [&str; 4] =
    ["Domain 'd' created", "Domain 'd' saved", "Domain restored", "'d' destroyed"];

pub fn check(ctx: &Ctx, base: &Built, tip: &Built) -> Result<Outcome> {
    setup::extra(ctx, PACKAGES)?;
    let within = |words: &[&'static str]| [&USER_NAMESPACE[..], words].concat();
    let trial = within(&["true"]);
    if !succeeds(&cmd(trial[0], &trial[1..])) {
        return Ok(Outcome::Skipped("this machine allows no user namespaces".into()));
    }
    let virsh = within(&["virsh", "--connect"]);
    let plain = session(&virsh, base).context("plain C")?;
    let ours = session(&virsh, tip).context("the series")?;
    for words in SAYS {
        ensure!(plain.contains(words), "with plain C, virsh does not say {words:?}:\n{plain}");
    }
    if plain != ours {
        bail!("with plain C:\n{plain}\nwith the series:\n{ours}");
    }
    Ok(Outcome::Passed)
}

/// What virsh prints, errors included, in a libvirt that lives in this process alone.
fn session(virsh: &[&'static str], built: &Built) -> Result<String> {
    let dir = tempfile::tempdir().context("cannot make a directory")?;
    let etc = dir.path().join("root/etc");
    fs::create_dir_all(&etc)?;
    fs::write(etc.join("qemu.conf"), CONFIGURATION)?;
    File::create(dir.path().join("disk"))?.set_len(1 << 20)?;
    fs::write(dir.path().join("d.xml"), domain(&built.build, dir.path()))?;
    let mut words: Vec<String> = virsh.iter().map(|word| word.to_string()).collect();
    words.push(format!("qemu:///embed?root={}", dir.path().join("root").display()));
    words.push(SCRIPT.into());
    let virsh = cmd(&words[0], &words[1..])
        .dir(dir.path())
        .env("HOME", dir.path())
        .env("XDG_RUNTIME_DIR", dir.path().join("run"))
        .env("LC_ALL", "C")
        // Its log has times and process ids. What goes wrong virsh says itself.
        .env("LIBVIRT_LOG_OUTPUTS", format!("3:file:{}", dir.path().join("log").display()));
    let said = read(&virsh.stderr_to_stdout())?;
    // virsh goes on after a command that failed, and ends as its last one did.
    ensure!(!said.contains("error:"), "virsh says:\n{said}");
    Ok(said)
}

fn domain(build: &Path, dir: &Path) -> String {
    let (emulator, disk) = (build.join("qemu-system-x86_64"), dir.join("disk"));
    format!(
        "<domain type='qemu'>
  <name>d</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><iothreads>1</iothreads>
  <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
  <devices>
    <emulator>{}</emulator>
    <disk type='file'>
      <driver name='qemu' type='raw' iothread='1'/>
      <source file='{}'/><target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
",
        emulator.display(),
        disk.display()
    )
}
