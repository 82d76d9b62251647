// SPDX-License-Identifier: GPL-2.0-or-later
//! `setup`: host packages, pinned tools, QEMU's source. Idempotent; every verb calls what it needs of it.

mod apt;
mod import;
mod packages;
pub mod source;
mod tools;

use std::path::PathBuf;

use anyhow::{Result, bail};
use comfy_table::{Table, presets};

use crate::ctx::Ctx;
use crate::flags;
use crate::version::{Tree, Version};

/// One thing that must be there, and what is missing of it.
struct Need {
    what: String,
    missing: Option<String>,
}

/// What a build needs of the machine.
pub struct Host {
    /// The interpreter that has QEMU's Python tools.
    pub python: PathBuf,
}

pub fn run(ctx: &Ctx, _args: &flags::Setup) -> Result<()> {
    if ctx.may_install {
        host(ctx)?;
        for version in Version::ALL {
            source::base(ctx, &Tree::Release(version))?;
        }
    }
    let needs = survey(ctx)?;
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for need in &needs {
        let state = need.missing.as_deref().unwrap_or("ready");
        table.add_row([need.what.as_str(), state]);
    }
    out!("{table}");
    if needs.iter().any(|need| need.missing.is_some()) {
        bail!("not everything is there; `cargo xtask setup` without --no-install gets it");
    }
    Ok(())
}

/// Packages and tools, installed if allowed; an error that names all that is missing if not.
pub fn host(ctx: &Ctx) -> Result<Host> {
    packages::ensure(ctx, packages::HOST)?;
    Ok(Host { python: tools::ensure(ctx)? })
}

/// Packages that one verb alone needs.
pub fn extra(ctx: &Ctx, names: &[&'static str]) -> Result<()> {
    packages::ensure(ctx, names)
}

fn survey(ctx: &Ctx) -> Result<Vec<Need>> {
    let mut needs = vec![
        Need {
            what: "host packages".into(),
            missing: packages::missing(packages::HOST)?
                .map(|names| format!("missing: {}", names.join(" "))),
        },
        Need {
            what: "pinned tools (a Python venv)".into(),
            missing: tools::missing(ctx)?.then(|| "to be installed by pip".into()),
        },
    ];
    for version in Version::ALL {
        needs.push(Need {
            what: format!("QEMU {version} source"),
            missing: source::missing(ctx, version),
        });
    }
    Ok(needs)
}
