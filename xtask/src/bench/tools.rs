// SPDX-License-Identifier: GPL-2.0-or-later
//! What was measured with, and what made the programs that were.

use anyhow::Result;
use duct::cmd;
use serde::Serialize;

use super::lab::Lab;
use crate::cmd::read;

#[derive(Debug, Serialize)]
pub struct Tools {
    pub qemu: String,
    pub rustc: String,
    pub gcc: String,
    pub valgrind: String,
    pub fio: String,
}

impl Tools {
    pub fn of(lab: &Lab) -> Result<Tools> {
        Ok(Tools {
            qemu: first_line(&read(&cmd!(lab.base.join("qemu-img"), "--version"))?),
            rustc: first_line(&read(&cmd!("rustc", "--version"))?),
            gcc: first_line(&read(&cmd!("gcc", "--version"))?),
            valgrind: first_line(&read(&cmd!("valgrind", "--version"))?),
            fio: first_line(&read(&cmd!("fio", "--version"))?),
        })
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_string()
}
