// SPDX-License-Identifier: GPL-2.0-or-later
//! Debian source packages, through an apt state of our own: the mirror and the keyring are those of
//! the machine's configuration, nothing of the machine is changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use duct::{Expression, cmd};

use crate::cmd::{Step, read};
use crate::ctx::Ctx;

/// Where the wanted QEMU versions are to be found, newest first.
const SUITES: &str = "sid trixie";

/// A private apt: its configuration file.
pub struct Apt {
    config: PathBuf,
}

impl Apt {
    /// Writes the private state and fetches the list of source packages into it.
    pub fn open(ctx: &Ctx) -> Result<Apt> {
        let dir = ctx.cache.join("apt");
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(sub))
                .with_context(|| format!("cannot create {}", dir.join(sub).display()))?;
        }
        let mirror = Mirror::of_machine()?;
        let sources = dir.join("debian.sources");
        fs::write(&sources, mirror.stanza())?;
        let config = dir.join("apt.conf");
        fs::write(&config, configuration(&dir, &sources))?;
        let apt = Apt { config };
        Step::new("list of Debian source packages", "apt-sources", apt.get(&["update"]))
            .run(ctx)
            .context(
            "Debian's mirror cannot be reached or verified; with no network, \
                 give a source tree of your own: --qemu DIR",
        )?;
        Ok(apt)
    }

    fn get(&self, args: &[&str]) -> Expression {
        let config = self.config.to_string_lossy();
        let options = ["-c", &*config, "-o", "APT::Update::Error-Mode=any", "-q"];
        cmd("apt-get", [&options[..], args].concat()).env("LC_ALL", "C")
    }

    /// Every version of a source package that the suites have.
    pub fn versions(&self, package: &str) -> Result<Vec<String>> {
        let text =
            read(&cmd!("apt-cache", "-c", &self.config, "showsrc", "--only-source", package))?;
        Ok(text
            .lines()
            .filter_map(|line| line.strip_prefix("Version: "))
            .map(str::to_string)
            .collect())
    }

    /// Downloads (and verifies) the files of one version into `dir`.
    pub fn download(&self, ctx: &Ctx, package: &str, version: &str, dir: &Path) -> Result<()> {
        let wanted = format!("{package}={version}");
        let get = self.get(&["source", "--download-only", "--only-source", &wanted]).dir(dir);
        Step::new(format!("download {package} {version}"), "apt-source", get).run(ctx)?;
        Ok(())
    }
}

/// `-c` is read after the machine's own configuration, so this takes back what would reach outside.
fn configuration(dir: &Path, sources: &Path) -> String {
    let dir = dir.display();
    format!(
        "Dir::Etc::sourcelist \"{}\";\n\
         Dir::Etc::sourceparts \"-\";\n\
         Dir::State::lists \"{dir}/lists\";\n\
         Dir::Cache \"{dir}/cache\";\n\
         APT::Sandbox::User \"\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n",
        sources.display()
    )
}

/// The Debian archive that the machine itself uses.
struct Mirror {
    uri: String,
    signed_by: Option<String>,
}

impl Mirror {
    fn of_machine() -> Result<Mirror> {
        let format = "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI) $(SOURCESENTRY)";
        let targets = read(&cmd!("apt-get", "indextargets", "--format", format))
            .context("apt cannot name its sources")?;
        let os = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
        let Some((uri, file)) = debian_entry(&targets, &os) else {
            bail!(
                "apt's configuration names no Debian archive (suite {}, component main); \
                 give a source tree of your own: --qemu DIR",
                codename(&os).unwrap_or("unknown")
            );
        };
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        Ok(Mirror { uri: uri.to_string(), signed_by: signed_by(&text, uri) })
    }

    fn stanza(&self) -> String {
        let mut text =
            format!("Types: deb-src\nURIs: {}\nSuites: {SUITES}\nComponents: main\n", self.uri);
        if let Some(value) = &self.signed_by {
            text += &format!("Signed-By: {value}\n");
        }
        text
    }
}

fn codename(os_release: &str) -> Option<&str> {
    os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))
}

/// The repository of the release that runs here, and the file that names it.
fn debian_entry<'a>(targets: &'a str, os_release: &str) -> Option<(&'a str, &'a str)> {
    let running = codename(os_release);
    targets.lines().find_map(|line| {
        let [kind, component, release, uri, entry] =
            line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let ours = Some(release) == running || ["sid", "unstable", "testing"].contains(&release);
        let (file, _) = entry.rsplit_once(':')?;
        (kind == "Packages" && component == "main" && ours).then_some((uri, file))
    })
}

/// What the entry for `uri` says of its keyring; apt's default keyrings if it says nothing.
fn signed_by(text: &str, uri: &str) -> Option<String> {
    let uri = uri.trim_end_matches('/');
    let names_it = |words: &str| words.split_whitespace().any(|w| w.trim_end_matches('/') == uri);
    for stanza in text.split("\n\n").filter(|stanza| field(stanza, "URIs").is_some()) {
        if field(stanza, "URIs").is_some_and(|uris| names_it(&uris)) {
            return field(stanza, "Signed-By");
        }
    }
    let line = text.lines().find(|line| !line.starts_with('#') && names_it(line))?;
    let (_, options) = line.split_once('[')?;
    let (options, _) = options.split_once(']')?;
    options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="))
        .map(|value| value.replace(',', " "))
}

/// A field of a deb822 stanza, with the lines that continue it.
fn field(stanza: &str, name: &str) -> Option<String> {
    let mut lines = stanza.lines().filter(|line| !line.starts_with('#'));
    let first = lines.find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })?;
    let more = lines.take_while(|line| line.starts_with([' ', '\t']));
    Some(std::iter::once(first).chain(more).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OS: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";

    #[test]
    fn the_archive_of_the_running_release_is_taken() {
        let targets = "Packages main stable http://other.invalid/ /e/o.list:1\n\
                       DEP-11 main bookworm http://a.invalid/debian/ /e/d.sources:1\n\
                       Packages main bookworm http://a.invalid/debian/ /e/d.sources:1\n";
        assert_eq!(debian_entry(targets, OS), Some(("http://a.invalid/debian/", "/e/d.sources")));
        assert_eq!(debian_entry("", OS), None);
    }

    #[test]
    fn the_keyring_is_read_from_both_formats() {
        let deb822 = "Types: deb\n# a comment\nURIs: http://a.invalid/debian\nSuites: bookworm\n\
                      Signed-By: /k/a.gpg\n\nTypes: deb\nURIs: http://b.invalid/x/\nSigned-By: /k/b.gpg\n";
        assert_eq!(signed_by(deb822, "http://a.invalid/debian/").as_deref(), Some("/k/a.gpg"));
        assert_eq!(signed_by(deb822, "http://b.invalid/x/").as_deref(), Some("/k/b.gpg"));
        let line = "deb [arch=amd64 signed-by=/k/c.gpg] http://c.invalid/debian bookworm main\n\
                    deb http://d.invalid/debian bookworm main\n";
        assert_eq!(signed_by(line, "http://c.invalid/debian/").as_deref(), Some("/k/c.gpg"));
        assert_eq!(signed_by(line, "http://d.invalid/debian/"), None);
    }

    #[test]
    fn an_inline_key_keeps_its_lines() {
        let stanza = "URIs: x\nSigned-By:\n -----BEGIN\n .\n abc\nSuites: s";
        assert_eq!(field(stanza, "signed-by").as_deref(), Some("\n -----BEGIN\n .\n abc"));
    }
}
