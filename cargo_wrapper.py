#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What Meson needs of cargo: `check` says at configure time what is missing,
`build` makes the one object and its depfile. Python's standard library only.
"""

import argparse
import functools
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# Meson's name of a CPU family to the first part of Rust's target.
RUST_CPUS = {
    'aarch64': 'aarch64',
    'loongarch64': 'loongarch64',
    'ppc64': 'powerpc64le',
    'riscv64': 'riscv64gc',
    's390x': 's390x',
    'x86_64': 'x86_64',
}

# The oldest and the newest QEMU that the library was built and tested with.
QEMU_VERSIONS = ((10, 0), (10, 2))

# What the environment may choose.
CHOICES = ('CARGO', 'RUSTC', 'LIBCLANG_PATH', 'RUSTC_BOOTSTRAP')

# Where clang-sys looks for libclang, beside what the environment and llvm-config name.
LIBCLANG_DIRS = (
    '/usr/lib/llvm-*/lib', '/usr/lib*/llvm*/lib*', '/usr/lib*', '/usr/lib*/*', '/usr/lib*/*/*',
    '/usr/local/lib*', '/usr/local/llvm*/lib*',
)
LIBCLANG_NAMES = ('libclang.so', 'libclang-*.so', 'libclang.so.*', 'libclang-*.so.*')


class Missing(Exception):
    """What is missing or cannot work, and what to do about it."""


@functools.lru_cache(maxsize=None)  # QEMU 10.0 takes Python 3.8, which has no cache()
def output_of(*command):
    try:
        ended = subprocess.run(command, check=False, capture_output=True, text=True,
                               errors='replace')
    except OSError as error:
        raise Missing(f'`{" ".join(command)}` failed: {error.strerror}') from error
    if ended.returncode != 0:
        why = ended.stderr.strip() or f'it says nothing, and ends with {ended.returncode}'
        raise Missing(f'`{" ".join(command)}` failed: {why}')
    return ended.stdout


def tool(name):
    """cargo and rustc, which CARGO and RUSTC in the environment may name."""
    chosen = os.environ.get(name.upper())
    named = chosen or name
    path = shutil.which(named)
    if not path:
        what = 'is no program' if os.path.exists(named) else 'was not found'
        raise Missing(f'{named} {what}. Install Rust (Debian 13: cargo, rustc; Debian 12: '
                      f'cargo-web, rustc-web; Fedora: cargo, rust; or rustup), or set '
                      f'{name.upper()} to its path.')
    path = os.path.abspath(path)
    return path if chosen else behind_proxy(path, name)


def behind_proxy(path, name):
    """The program of the toolchain that rustup's stands for, here and now: at the time of the
    build the folder or the environment may choose another."""
    rustc = os.path.join(os.path.dirname(path), 'rustc')
    try:
        own = os.path.join(output_of(rustc, '--print', 'sysroot').strip(), 'bin', name)
    except Missing:
        return path
    return own if os.access(own, os.X_OK) else path


def numbers(version):
    return tuple(int(n) for n in re.findall(r'\d+', version))


def check_version(args, name):
    """The version of rustc or of cargo, which may come from two places."""
    manifest = (args.crate / 'Cargo.toml').read_text(encoding='utf-8')
    oldest = re.search(r'^rust-version = "([\d.]+)"', manifest, re.M).group(1)
    path = tool(name)
    try:
        words = output_of(path, '--version').split()
    except Missing as error:
        raise Missing(f'{error}. Set {name.upper()} to a {name} that works.') from error
    if words[:1] != [name]:
        raise Missing(f'{path} is no {name}: asked for its version it says '
                      f'"{" ".join(words)[:60]}". Set {name.upper()} to one.')
    version = words[1]
    if numbers(version) < numbers(oldest):
        raise Missing(f'{name} {version} is too old: qemu-iothread needs {oldest} or newer. '
                      'Install a newer Rust (Debian 12: cargo-web, rustc-web; or rustup), or set '
                      'RUSTC and CARGO to one.')
    return version


def libclang_dirs():
    """As clang-sys searches: what LIBCLANG_PATH names, and only that if it is set."""
    named = os.environ.get('LIBCLANG_PATH')
    if named:
        return [named]
    try:
        llvm_config = os.environ.get('LLVM_CONFIG_PATH', 'llvm-config')
        told = [output_of(llvm_config, '--libdir').strip()]
    except Missing:
        told = []
    for name in ('LD_LIBRARY_PATH', 'LIBRARY_PATH'):
        told += [folder for folder in os.environ.get(name, '').split(':') if folder]
    return [*told, *LIBCLANG_DIRS]


def newest_and_lasting(path):
    """An update of libclang takes the longer names, which have its patch level, away."""
    folder, name = os.path.split(path)
    return numbers(folder), numbers(name)[:1], -len(name)


def libclang():
    dirs = libclang_dirs()
    if os.path.isfile(dirs[0]) and os.path.basename(dirs[0]).startswith('libclang'):
        return dirs[0]
    for folder in dirs:
        for name in LIBCLANG_NAMES:
            # libclang-cpp is another library, which comes with other packages.
            found = [path for path in glob.glob(os.path.join(folder, name))
                     if '-cpp.' not in os.path.basename(path)]
            if found:
                return max(found, key=newest_and_lasting)
    named = os.environ.get('LIBCLANG_PATH')
    if named:
        raise Missing(f'LIBCLANG_PATH is {named}, where there is no libclang. Correct it, or unset '
                      'it and install libclang (Debian: libclang-dev; Fedora: clang-devel).')
    raise Missing('libclang was not found, which bindgen reads QEMU\'s headers with. Install it '
                  '(Debian: libclang-dev; Fedora: clang-devel), or set LIBCLANG_PATH to its '
                  'folder.')


def check_host(args):
    if args.host_system != 'linux':
        raise Missing(f'qemu-iothread serves Linux hosts; this one is {args.host_system}. '
                      'Build a QEMU without the patch that links it.')
    if args.pointer_size != 8:
        raise Missing(f'qemu-iothread serves 64-bit hosts; a pointer has {args.pointer_size * 8} '
                      f'bits on {args.host_cpu}. Build a QEMU without the patch that links it.')
    if args.host_cpu not in RUST_CPUS:
        raise Missing(f'qemu-iothread knows no Rust target for a host of type {args.host_cpu}; '
                      f'it serves {", ".join(RUST_CPUS)}. '
                      'Build a QEMU without the patch that links it.')
    if args.host_cpu == 'ppc64' and args.host_endian == 'big':
        raise Missing('qemu-iothread serves little-endian ppc64 hosts only. '
                      'Build a QEMU without the patch that links it.')
    if args.cfi == 'true':
        raise Missing('--enable-cfi traps on callbacks that are written in Rust, because rustc '
                      'gives them no CFI type. Configure with --disable-cfi.')


def check_qemu(args):
    version = numbers(args.qemu_version)
    oldest, newest = QEMU_VERSIONS
    if not oldest <= version < (*newest, 50):
        served = ' to '.join('.'.join(map(str, v)) for v in QEMU_VERSIONS)
        to = ', on the way to the next release' if version[2:] >= (50,) else ''
        raise Missing(f'qemu-iothread serves QEMU {served}; this tree is {args.qemu_version}{to}. '
                      'Take a qemu-iothread that was made for it.')


def rust_target(args):
    """Always named, so that no cargo configuration of the user's can choose another."""
    if not args.target_cpu:
        return re.search(r'^host: (\S+)$', output_of(tool('rustc'), '-vV'), re.M).group(1)
    target = f'{RUST_CPUS[args.target_cpu]}-unknown-linux-gnu'
    libdir = output_of(tool('rustc'), '--print', 'target-libdir', '--target', target).strip()
    if not os.path.isdir(libdir):
        raise Missing(f'Rust\'s core library for {target} is not installed (rustup: `rustup '
                      f'target add {target}`; Debian: libstd-rust-dev of that architecture).')
    return target


def source(args):
    """Where cargo takes the crates from: those that lie in vendor/, or the registry."""
    vendor = args.crate / 'vendor'
    if not vendor.is_dir():
        return []
    return ['--offline', '--config', 'source.crates-io.replace-with="vendor"',
            '--config', f'source.vendor.directory="{vendor}"']


def fetch(args):
    """The crates come now, when a message is read, and not in the middle of a build. To list
    them, cargo gets just those of the build; `cargo fetch` wants those of the tests, too."""
    if not (args.crate / 'Cargo.lock').exists():
        raise Missing(f'{args.crate} has no Cargo.lock, which says what crates the library is '
                      'built from. Bring it along from where the crate comes from.')
    try:
        output_of(tool('cargo'), 'tree', '--locked', '--quiet', '--edges=normal,build',
                  f'--target={args.target}',
                  f'--manifest-path={args.crate / "Cargo.toml"}', *source(args))
    except Missing as error:
        # What cargo calls the error, not what it supposes behind it or advises.
        lacks = (re.search(r'no matching package.*', str(error))
                 or re.search(r'(?<=error: )cannot update the lock file.*', str(error)))
        told = [line for line in str(error).splitlines()
                if line.strip() and not line.startswith(('help:', 'note:'))]
        why = (lacks.group() if lacks else told[-1]).strip().rstrip('.')
        if why.startswith('cannot update the lock file'):
            cure = f'Cargo.toml was changed: run `cargo update --workspace` in {args.crate}.'
        elif source(args):
            cure = (f'They are taken from {args.crate / "vendor"} alone: run `cargo vendor` again '
                    'where there is a network, or remove that folder.')
        else:
            cure = (f'Connect to the network, or run `cargo vendor` in {args.crate} where there is '
                    'one and bring the folder vendor along.')
        raise Missing('the crates that the library is built from cannot be had: '
                      f'{why}. {cure}') from error


def recall_choices(memory):
    """Ninja may configure again, in whatever environment it was started: what configure was told
    holds. Meson keeps what it was told itself in the same folder, which configure empties."""
    try:
        told = json.loads(memory.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        # None yet, or cut off while it was written.
        told = {}
    chosen = {name: os.environ.pop(name) for name in CHOICES if name in os.environ}
    recalled = {name: value for name, value in told.items() if name not in chosen}
    # Nothing is no choice; cargo would look for a program of that name.
    told = {name: value for name, value in {**told, **chosen}.items() if value}
    os.environ.update(told)
    return told, recalled


def check(args):
    told, recalled = recall_choices(args.memory)
    try:
        check_all(args)
    except Missing as error:
        if not recalled:
            raise
        values = ' '.join(f'{name}={value}' for name, value in recalled.items())
        raise Missing(f'{error} (From an earlier configure: {values}. Set anew, or to nothing, '
                      'they are replaced.)') from error
    # Only what passed: a slip in the environment is not remembered.
    args.memory.write_text(json.dumps(told), encoding='utf-8')
    answer(args)


def check_all(args):
    check_host(args)
    check_qemu(args)
    check_version(args, 'cargo')
    args.rustc_version = check_version(args, 'rustc')
    args.libclang = libclang()
    args.target = rust_target(args)
    fetch(args)


def answer(args):
    print(f'qemu-iothread: rustc {args.rustc_version} for {args.target}, libclang '
          f'{args.libclang}{watched(args)}')
    # What was checked is what builds, whatever the environment is by then.
    print(f'CARGO={tool("cargo")}', f'RUSTC={tool("rustc")}', f'LIBCLANG_PATH={args.libclang}',
          f'RUSTC_BOOTSTRAP={os.environ.get("RUSTC_BOOTSTRAP", "")}', sep='\n')


def takes_unstable_flags():
    """A nightly rustc, or one that is told to act like one (for all crates, or for this one)."""
    told = os.environ.get('RUSTC_BOOTSTRAP', '').split(',')
    return ('1' in told or 'qemu_iothread' in told
            or 'nightly' in output_of(tool('rustc'), '--version'))


def wanted_sanitizers(args):
    """Those of QEMU's build that rustc has, too."""
    return [name for name in args.sanitizers.split(',') if name in ('address', 'thread')]


def sanitizers(args):
    """Those that watch the library."""
    return wanted_sanitizers(args) if takes_unstable_flags() else []


def watched(args):
    if sanitizers(args):
        return f', watched by sanitizers: {", ".join(sanitizers(args))}'
    if wanted_sanitizers(args):
        return (', not watched by sanitizers: that takes a nightly rustc, or '
                'RUSTC_BOOTSTRAP=qemu_iothread in the environment')
    return ''


def rustc_takes(flag):
    """Newer ones refuse what older ones do without, and older ones do not know it."""
    command = [tool('rustc'), flag, '--print=cfg']
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def rustc_flags(args, object_path):
    # Calls through the PLT are shorter than through the GOT, and what gcc -fPIE
    # makes; the programs' own relro does not depend on it.
    flags = [f'--emit=obj={object_path}', '-Crelro-level=partial',
             *(f'--remap-path-prefix={path}={name}'
               for folder, name in ((args.crate, 'qemu-iothread'), (args.target_dir, 'cargo'))
               # As it is named here, and as rustc finds it.
               for path in dict.fromkeys((folder, folder.resolve())))]
    if sanitizers(args):
        flags += [f'-Zsanitizer={name}' for name in sanitizers(args)]
        # Rust's own core library has none.
        flags += filter(rustc_takes, ['-Cunsafe-allow-abi-mismatch=sanitizer'])
        # memset() is watched as the C library's; older runtimes know no other way.
        flags.append('-Cllvm-args=-tsan-instrument-memintrinsics=0')
    return flags


def profile(args):
    """The crate's own, so that no setting of the user's for all crates gives it a panic path."""
    manifest = (args.crate / 'Cargo.toml').read_text(encoding='utf-8')
    section = re.search(r'^\[profile\.embed\]\n((?:.+\n)+)', manifest, re.M).group(1)
    settings = dict(re.findall(r'^([\w-]+) = (.+)$', section, re.M))
    settings['debug'] = args.debug_info
    # Without optimisation panic paths stay, and with them undefined symbols of
    # Rust's; and what is optimised for size here is no slower.
    if args.optimization in ('0', 'g'):
        settings['opt-level'] = '1'
    return [word for name, value in settings.items()
            for word in ('--config', f'profile.embed.{name}={value}')]


def place(args):
    """What cargo takes for one and the same build."""
    return ['--profile=embed', *profile(args), f'--target={args.target}',
            f'--target-dir={args.target_dir}', f'--manifest-path={args.crate / "Cargo.toml"}']


def cargo_command(args, object_path):
    command = [tool('cargo'), 'rustc', '--locked', '--quiet', '--lib', '--crate-type=staticlib',
               *place(args), *source(args)]
    return command + ['--'] + rustc_flags(args, object_path)


def environment(args):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith('CARGO_PROFILE_')}
    env['CARGO_INCREMENTAL'] = '0'
    # Set, though to nothing, it comes before all other flags for rustc, those in
    # the user's cargo configuration too: the object's symbols depend on none.
    env['CARGO_ENCODED_RUSTFLAGS'] = ''
    # Nothing is linked by what glib-sys would find, and Meson has found glib.
    for name in ('glib', 'gobject'):
        env[f'SYSTEM_DEPS_{name.upper()}_2_0_NO_PKG_CONFIG'] = '1'
        env[f'SYSTEM_DEPS_{name.upper()}_2_0_LIB'] = f'{name}-2.0'
    env['QEMU_BUILD_DIR'] = str(args.qemu_build)
    env['QEMU_IOTHREAD_MESON'] = '1'
    return env


def copy_if_changed(source, target):
    """An object that stayed the same makes nobody link again."""
    if not target.exists() or target.read_bytes() != source.read_bytes():
        shutil.copyfile(source, target)


def run_cargo(command, args):
    ended = subprocess.run(command, env=environment(args), check=False, stderr=subprocess.PIPE,
                           text=True, errors='replace')
    sys.stderr.write(ended.stderr)
    if ended.returncode != 0:
        # What build.rs has to say stands in the midst of what cargo says of it.
        reason = re.search(r'^\s*Error: "(.*)"$', ended.stderr, re.M)
        raise Missing(reason.group(1) if reason else
                      'cargo could not build qemu-iothread; its messages stand above.')


def unit(args):
    """Cargo does not write again what it takes for fresh, so whatever makes it compile a library
    beside the one that is there has an object of its own."""
    told = [args.debug_info, args.optimization, *sanitizers(args),
            output_of(tool('rustc'), '--version', '--verbose'),
            *((args.crate / name).read_text(encoding='utf-8')
              for name in ('Cargo.toml', 'Cargo.lock'))]
    return hashlib.sha256('\0'.join(told).encode()).hexdigest()[:16]


def build(args):
    for assignment in args.environment:
        name, value = assignment.split('=', 1)
        os.environ[name] = value
    args.target = rust_target(args)
    args.target_dir.mkdir(parents=True, exist_ok=True)
    object_path = args.target_dir / f'{unit(args)}.o'
    run_cargo(cargo_command(args, object_path), args)
    if not object_path.exists():
        run_cargo([tool('cargo'), 'clean', '--locked', '--quiet', '--package=qemu-iothread',
                   *place(args), *source(args)], args)
        run_cargo(cargo_command(args, object_path), args)
    if not object_path.exists():
        raise Missing('cargo made no object, though it says that it built the library.')
    copy_if_changed(object_path, args.output)
    profile_dir = args.target_dir / args.target / 'embed'
    depfile = (profile_dir / 'libqemu_iothread.d').read_text(encoding='utf-8')
    _, dependencies = depfile.split(': ', 1)
    args.depfile.write_text(f'{args.output}: {dependencies}', encoding='utf-8')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('--crate', type=Path, required=True)
    common.add_argument('--sanitizers', default='')
    common.add_argument('--target-cpu')
    verbs = parser.add_subparsers(required=True)
    parser_check = verbs.add_parser('check', parents=[common])
    parser_build = verbs.add_parser('build', parents=[common])
    parser_check.set_defaults(run=check)
    parser_check.add_argument('--memory', type=Path, required=True, metavar='FILE')
    parser_check.add_argument('--host-system', required=True)
    parser_check.add_argument('--host-cpu', required=True)
    parser_check.add_argument('--host-endian', required=True)
    parser_check.add_argument('--pointer-size', type=int, required=True)
    parser_check.add_argument('--qemu-version', required=True)
    parser_check.add_argument('--cfi', required=True)
    parser_build.set_defaults(run=build)
    for option in ('--qemu-build', '--target-dir', '--output', '--depfile'):
        parser_build.add_argument(option, type=Path, required=True)
    parser_build.add_argument('--environment', action='append', default=[], metavar='NAME=VALUE')
    parser_build.add_argument('--debug-info', required=True)
    parser_build.add_argument('--optimization', required=True)
    args = parser.parse_args()
    try:
        args.run(args)
    except (Missing, OSError) as reason:
        sys.exit(f'qemu-iothread: {reason}')


if __name__ == '__main__':
    main()
