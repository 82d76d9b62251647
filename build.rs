// SPDX-License-Identifier: GPL-2.0-or-later
//! Takes QEMU's declarations from the configured QEMU build that is at hand.
//!
//! Which build: the environment's `QEMU_BUILD_DIR`, which QEMU's own build sets,
//! else the one that the file `target/qemu/current` names, which `cargo xtask build`
//! leaves. Without one only the model is built, for which a warning is given.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What of QEMU the library calls.
const FUNCTIONS: &[&str] = &[
    "aio_bh_schedule_oneshot_full",
    "aio_context_new",
    "aio_context_set_aio_params",
    "aio_context_set_poll_params",
    "aio_context_set_thread_pool_params",
    "aio_context_unref",
    "aio_get_g_source",
    "aio_notify",
    "aio_poll",
    "error_propagate",
    "error_report",
    "error_setg_internal",
    "object_class_property_add",
    "object_dynamic_cast",
    "object_get_canonical_path_component",
    "object_get_internal_root",
    "object_get_objects_root",
    "object_new_with_props",
    "object_property_iter_init",
    "object_property_iter_next",
    "object_ref",
    "object_resolve_path_type",
    "object_unparent",
    "object_unref",
    "qemu_get_aio_context",
    "qemu_get_current_aio_context",
    "qemu_get_thread_id",
    "qemu_mutex_destroy",
    "qemu_mutex_init",
    "qemu_mutex_lock_impl",
    "qemu_mutex_unlock_impl",
    "qemu_sem_destroy",
    "qemu_sem_init",
    "qemu_sem_post",
    "qemu_sem_wait",
    "qemu_set_current_aio_context",
    "qemu_thread_create",
    "qemu_thread_join",
    "rcu_register_thread",
    "rcu_unregister_thread",
    "visit_type_int64",
];

/// What it passes on, and what tells that the tree at hand has something.
const CONSTANTS: &[&str] =
    &["QEMU_THREAD_JOINABLE", "IOTHREAD_REFUSES_OBJECT_DEL", "TRACE_IOTHREAD_REF_ENABLED"];

const TYPES: &[&str] =
    &["EventLoopBase", "EventLoopBaseClass", "IOThreadInfo", "IOThreadInfoList", "TypeInfo"];

/// What it passes on, or holds, without a look inside.
const OPAQUE_TYPES: &[&str] = &["AioContext", "ObjectClass", "Visitor", "pthread_(cond|mutex)_t"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=QEMU_BUILD_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let Some(build) = qemu_build(&root)? else {
        println!(
            "cargo::warning=no QEMU build at hand, so this is the model alone, without the C \
             API: run `cargo xtask build`, or set QEMU_BUILD_DIR to a configured build"
        );
        return Ok(());
    };
    println!("cargo::rustc-cfg=qemu");
    let flags = compiler_flags(&build)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let bindings = bind(&root, &flags)?;
    probe(&bindings);
    write_if_changed(&out.join("bindings.rs"), &bindings)?;
    if env::var_os("QEMU_IOTHREAD_MESON").is_none() {
        build_glue(&root, &flags);
        // For the tests, which link with that build.
        println!("cargo::rustc-env=QEMU_BUILD_DIR={}", build.display());
    }
    Ok(())
}

fn qemu_build(root: &Path) -> Result<Option<PathBuf>, Box<dyn Error>> {
    if let Some(named) = env::var_os("QEMU_BUILD_DIR") {
        let named = PathBuf::from(named);
        if is_configured(&named) {
            return Ok(Some(named.canonicalize()?));
        }
        return Err(format!(
            "QEMU_BUILD_DIR is {}, which is no configured QEMU build: it has no \
             compile_commands.json. Run QEMU's configure there first.",
            named.display()
        )
        .into());
    }
    let current = root.join("target/qemu/current");
    println!("cargo::rerun-if-changed={}", current.display());
    let Ok(named) = fs::read_to_string(current) else { return Ok(None) };
    let build = PathBuf::from(named.trim_end());
    Ok(is_configured(&build).then_some(build))
}

/// Whether it has what says how QEMU is compiled; if that changes, the bindings may.
fn is_configured(build: &Path) -> bool {
    let commands = build.join("compile_commands.json");
    println!("cargo::rerun-if-changed={}", commands.display());
    commands.exists()
}

/// The flags that find QEMU's headers, absolute, as the C compiler gets them for
/// a file that stands beside `iothread.c` in QEMU's build. All other flags stay
/// away: libclang does not know each of them.
fn compiler_flags(build: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let commands: serde_json::Value =
        serde_json::from_reader(File::open(build.join("compile_commands.json"))?)?;
    let command = commands
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| {
            let file = entry["file"].as_str().unwrap_or_default();
            file.ends_with("/blockdev.c")
        })
        .and_then(|entry| entry["command"].as_str())
        .ok_or("QEMU's compile_commands.json does not say how blockdev.c is compiled")?;
    let words = shlex::split(command).ok_or("QEMU's compile_commands.json has an open quote")?;
    let mut flags = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if let "-iquote" | "-isystem" | "-include" | "-I" = word.as_str() {
            let path = rest.next().ok_or("a flag of QEMU's ends without its folder")?;
            flags.extend([word.clone(), absolute(build, path)]);
        } else if let Some(path) = word.strip_prefix("-I") {
            flags.push(format!("-I{}", absolute(build, path)));
        } else if word.starts_with("-D") {
            flags.push(word.clone());
        }
    }
    flags.extend(sanitizers_headers(&words));
    Ok(flags)
}

/// gcc has the sanitizers' headers among its own, which libclang must not see: a link to that folder
/// alone, looked into last.
fn sanitizers_headers(command: &[String]) -> Option<String> {
    // "ccache gcc -m64 ..."
    let compiler = command.iter().take_while(|word| !word.starts_with('-')).last();
    let answer = Command::new(compiler?).arg("-print-file-name=include").output().ok()?;
    let own = PathBuf::from(String::from_utf8(answer.stdout).ok()?.trim()).join("sanitizer");
    let out = PathBuf::from(env::var_os("OUT_DIR")?).join("compiler");
    let link = out.join("sanitizer");
    fs::create_dir_all(&out).ok()?;
    let _ = fs::remove_file(&link);
    symlink(own, link).ok()?;
    Some(format!("-idirafter{}", out.display()))
}

fn absolute(build: &Path, path: &str) -> String {
    build.join(path).display().to_string()
}

fn bind(root: &Path, flags: &[String]) -> Result<String, Box<dyn Error>> {
    let mut builder = bindgen::Builder::default()
        .header(root.join("src/sys/wrapper.h").display().to_string())
        .clang_args(flags)
        .rust_target(env!("CARGO_PKG_RUST_VERSION").parse()?)
        .use_core()
        // rustfmt need not be there, and without it the text that is searched below would be another.
        .formatter(bindgen::Formatter::Prettyplease)
        .derive_debug(false)
        .derive_copy(false)
        .generate_comments(false)
        .blocklist_type(".*_autoptr")
        .blocklist_type("_?G(Source|SList|Hook).*")
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()));
    for function in FUNCTIONS {
        builder = builder.allowlist_function(function);
    }
    for name in CONSTANTS {
        builder = builder.allowlist_var(name);
    }
    for name in TYPES {
        builder = builder.allowlist_type(name);
    }
    for name in OPAQUE_TYPES {
        builder = builder.allowlist_type(name).opaque_type(name);
    }
    let bindings = builder.generate().map_err(explain)?.to_string();
    require_all(&bindings)?;
    Ok(bindings)
}

/// Debian has libclang without the headers that each compiler has of its own, in a package that
/// other programs need.
fn explain(error: bindgen::BindgenError) -> Box<dyn Error> {
    let lacks = |header| error.to_string().contains(&format!("'{header}' file not found"));
    if ["stddef.h", "stdarg.h", "stdbool.h", "limits.h"].iter().any(lacks) {
        return "libclang is here without its own headers, such as stddef.h: install them \
                (Debian: libclang-dev; Fedora: clang-devel)"
            .into();
    }
    error.into()
}

/// A QEMU that lacks something is named here, not by a page of compiler errors.
fn require_all(bindings: &str) -> Result<(), Box<dyn Error>> {
    let lacks = |name: &&str| {
        !bindings.contains(&format!(" {name}(")) && !bindings.contains(&format!(" {name} {{"))
    };
    let missing: Vec<_> = FUNCTIONS.iter().chain(TYPES).copied().filter(lacks).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "this QEMU's headers do not declare {}: qemu-iothread was made for QEMU 10.0 and 10.2; \
         take the one that was made for this tree",
        missing.join(", ")
    )
    .into())
}

/// Switches on what the tree at hand has: nobody configures it.
fn probe(bindings: &str) {
    let flat: String = bindings.split_whitespace().collect::<Vec<_>>().join(" ");
    let poll_params = flat.split("fn aio_context_set_poll_params").nth(1).unwrap_or_default();
    let poll_params = poll_params.split(';').next().unwrap_or_default();
    if poll_params.contains("weight:") {
        println!("cargo::rustc-cfg=qemu_poll_weight");
    }
    let class_init = flat.split("pub class_init:").nth(1).unwrap_or_default();
    let class_init = class_init.split('>').next().unwrap_or_default();
    if class_init.contains("*const") {
        println!("cargo::rustc-cfg=qemu_const_class_data");
    }
    if flat.contains("const IOTHREAD_REFUSES_OBJECT_DEL:") {
        println!("cargo::rustc-cfg=qemu_refuses_object_del");
    }
    if flat.contains("const TRACE_IOTHREAD_REF_ENABLED:") {
        println!("cargo::rustc-cfg=qemu_traces");
    }
    if flat.contains("struct IOThreadHolder {") {
        println!("cargo::rustc-cfg=qemu_holders");
    }
}

/// An unchanged file keeps its time, so that nothing is compiled again for it.
fn write_if_changed(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text)
}

/// The C half, for whoever links the plain static library.
fn build_glue(root: &Path, flags: &[String]) {
    let mut build = cc::Build::new();
    build.std("gnu11").flag("-fno-strict-aliasing");
    for file in ["glue/glue.c", "glue/trace.c"] {
        let file = root.join(file);
        println!("cargo::rerun-if-changed={}", file.display());
        build.file(file);
    }
    flags.iter().for_each(|flag| {
        build.flag(flag);
    });
    build.compile("qemu_iothread_glue");
}
