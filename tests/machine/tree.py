"""The Debian trees that nodes boot from: made once with debootstrap, kept in target/machine, never written to again.

A tree is a stack of folders for an overlay mount. The lowest is the same for all; what a test needs more (a kernel, a
server) is a layer of packages on it. Each tree also holds its programs once more, below /usr/lib/programs by Debian
package and together in /nix/sw/bin: where a unit sees no /usr/bin, as on NixOS, it finds them there."""
import contextlib, fcntl, hashlib, inspect, os, pathlib, re, shutil, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import Skip

CACHE = pathlib.Path(__file__).resolve().parents[2] / "target" / "machine"
SUITE = "trixie"
PACKAGES = ["age", "bubblewrap", "curl", "dbus", "iproute2", "iputils-ping", "jq", "libdbi-perl", "netcat-openbsd", "nftables", "nix-bin", "nix-setup-systemd",
            "procps", "python3", "systemd", "systemd-sysv"]  # without libdbi-perl nix-bin does not configure
KERNEL = ["initramfs-tools", "linux-image-cloud-amd64", "udev"]
# An initramfs with the drivers of a virtual machine and no others: it is unpacked without a processor's help.
INITRAMFS = {"conf.d/driver": "MODULES=list\n",
             "hooks/driver": "#!/bin/sh\n[ \"$1\" != prereqs ] || exit 0\n. /usr/share/initramfs-tools/hook-functions\nmanual_add_modules virtio_pci virtio_blk virtio_net virtio_console ext4\n"}
TOOLS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux", "ip": "iproute2"}
EMULATOR = {"qemu-system-x86_64": "qemu-system-x86", "mke2fs": "e2fsprogs"}
QUIET = ["apt-daily-upgrade.timer", "apt-daily.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer", "getty.target", "remote-fs.target", "systemd-pstore.service"]


def run(*command, **keywords):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", **keywords)


def must(*command, **keywords):
    done = run(*command, **keywords)
    if done.returncode:
        raise Skip(f"{' '.join(map(str, command[:3]))} failed: {((done.stdout + done.stderr).strip().splitlines() or ['it said nothing'])[-1]}")
    return done.stdout


def need(tools):
    """Installs what is missing on this machine."""
    if missing := [package for tool, package in tools.items() if not shutil.which(tool)]:
        install = f"apt-get -qq update && apt-get -qq install -y --no-install-recommends {' '.join(missing)}"
        must("sh", "-c", install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def mirror():
    """Where this host itself gets Debian from."""
    words = pathlib.Path("/etc/os-release").read_text()
    codename = re.search(r"^VERSION_CODENAME=(\S+)", words, re.M)
    folder = pathlib.Path("/etc/apt")
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]:
        text = path.read_text() if path.is_file() else ""
        for line in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+main\b", text, re.M):
            if codename and line[1] == codename[1]:
                return line[0]
        for block in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^(\w[\w-]*):\s*(.*)$", block, re.M))
            if codename and codename[1] in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
                return fields["URIs"].split()[0]
    raise Skip("this host's apt sources name no Debian mirror")


def stack(more=()):
    """The folders of the tree with `more` packages, the uppermost first."""
    if os.geteuid() != 0:
        raise Skip("needs root to boot a machine")
    need(TOOLS)
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        base = made(PACKAGES, debootstrap)
        return [made([*PACKAGES, "and", *more], lambda part: layer(part, base, more)), base] if more else [base]


def made(words, make):
    """The folder made from these words by `make`; under a temporary name until it is whole."""
    recipe = "\n".join([*words, *map(inspect.getsource, (debootstrap, layer, farm, resolved)), *(INITRAMFS.values() if "initramfs-tools" in words else ())])
    folder = CACHE / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        make(part)
        part.rename(folder)
    return folder


def debootstrap(part):
    must("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, part, mirror())
    must("systemctl", f"--root={part}", "mask", *QUIET)
    shutil.rmtree(part / "var/cache/apt")
    farm(part)


def layer(part, base, packages):
    """What installing `packages` changes in the tree."""
    upper, work, merged = part.with_suffix(".upper"), part.with_suffix(".work"), part.with_suffix(".merged")
    for folder in (upper, work, merged):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    with mounted([base], upper, work, merged):
        for name, text in INITRAMFS.items() if "initramfs-tools" in packages else ():
            file = merged / "etc/initramfs-tools" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o755)
        policy = merged / "usr/sbin/policy-rc.d"  # nothing starts while it is installed
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        install = f"apt-get -qq update && apt-get -qq install -y --no-install-recommends {' '.join(packages)}"
        must("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--pipe", f"--directory={merged}", "--setenv=DEBIAN_FRONTEND=noninteractive", "sh", "-c", install)
        policy.unlink()
        shutil.rmtree(merged / "var/cache/apt")
    farm(upper)
    shutil.rmtree(work)
    merged.rmdir()
    upper.rename(part)


@contextlib.contextmanager
def mounted(lower, upper, work, merged):
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
    made = run("mount", "-t", "overlay", "-o", options, "osmoda-test", merged)
    if made.returncode:
        raise Skip(f"overlay mounts are not allowed here: {made.stderr.strip()}")
    try:
        yield merged
    finally:
        run("umount", "-l", merged)


def farm(tree):
    """Hard links to the programs of a tree or layer, by package and all together."""
    folders = {f"usr/lib/programs/{listing.stem.split(':')[0]}/bin": listing.read_text().split("\n") for listing in (tree / "var/lib/dpkg/info").glob("*.list")}
    folders["nix/sw/bin"] = [f"/{path.relative_to(tree)}" for folder in ("usr/sbin", "usr/bin") for path in (tree / folder).glob("*")]
    for folder, names in folders.items():
        for name in names:
            if re.fullmatch(r"/(usr/)?s?bin/[^/]+", name) and (source := resolved(tree, name)):
                target = tree / folder / pathlib.Path(name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                os.link(source, target)


def resolved(tree, name):
    """The file that a path of the tree leads to; links, as of Debian's alternatives, are followed inside the tree."""
    for _ in range(10):
        path = tree / name.lstrip("/")
        if not path.is_symlink():
            return path if path.is_file() else None
        name = os.path.normpath(os.path.join("/", os.path.dirname(name), os.readlink(path)))
    return None
