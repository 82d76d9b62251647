// SPDX-License-Identifier: GPL-2.0-or-later
//! How a build makes the library's one object: the same command for other tools and other places.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use duct::{Expression, cmd};

use crate::cmd::read;

/// The one object that cargo makes, relative to the build directory.
pub const OBJECT: &str = "subprojects/qemu-iothread/qemu_iothread.o";

/// The words of the command.
pub struct Recipe(Vec<String>);

impl Recipe {
    pub fn of(build: &Path) -> Result<Recipe> {
        Recipe::parse(&read(&cmd!("ninja", "-t", "commands", OBJECT).dir(build))?)
    }

    fn parse(listed: &str) -> Result<Recipe> {
        let line = listed.lines().find(|line| line.contains("cargo_wrapper.py build "));
        let line = line.with_context(|| format!("{OBJECT} is not made by cargo"))?;
        Ok(Recipe(shlex::split(line).context("a command that no shell understands")?))
    }

    /// All that it writes lies below `dir`, the object where it lies in a build directory.
    pub fn below(self, dir: &Path) -> Result<Recipe> {
        let object = dir.join(OBJECT);
        fs::create_dir_all(object.parent().context("an object has a directory")?)?;
        self.with("--target-dir", &dir.join("cargo"))?
            .with("--output", &object)?
            .with("--depfile", &dir.join("object.d"))
    }

    pub fn with(mut self, option: &str, value: &Path) -> Result<Recipe> {
        let at = self.0.iter().position(|word| word == option);
        let old = at.and_then(|at| self.0.get_mut(at + 1));
        *old.with_context(|| format!("the library is built without {option}"))? =
            value.display().to_string();
        Ok(self)
    }

    /// By another tool than the one that configure found.
    pub fn by(mut self, tool: &str, path: &Path) -> Result<Recipe> {
        let head = format!("{tool}=");
        let old = self.0.iter_mut().find(|word| word.starts_with(&head));
        *old.with_context(|| format!("the library is built without {tool}"))? =
            format!("{head}{}", path.display());
        Ok(self)
    }

    pub fn command(&self) -> Result<Expression> {
        let (program, args) = self.0.split_first().context("an empty command")?;
        Ok(cmd(program, args))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_the_command_writes_goes_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let t = dir.path().display();
        let listed = "gcc -c x.c\npython3 ../cargo_wrapper.py build --crate /c \
                      --environment RUSTC=/r --target-dir a --output b --depfile c.d";
        let recipe = Recipe::parse(listed).unwrap().below(dir.path()).unwrap();
        let recipe = recipe.by("RUSTC", Path::new("/old")).unwrap();
        assert_eq!(
            recipe.0.join(" "),
            format!(
                "python3 ../cargo_wrapper.py build --crate /c --environment RUSTC=/old \
                 --target-dir {t}/cargo --output {t}/{OBJECT} --depfile {t}/object.d"
            )
        );
        assert!(recipe.with("--nothing", Path::new("/")).is_err());
    }
}
