"""What install.sh finds out before it touches anything, on machines it must refuse and on those it must not."""
import shlex

from place import REPOSITORY, traces

ON = ["trixie"]
DRY = "--dry-run --no-convert"
# Answers by the names under which the providers' machines present themselves.
CLOUDS = {
    ("sys_vendor", "Amazon EC2"): "Amazon EC2",
    ("bios_vendor", "Amazon"): "Amazon EC2",
    ("product_name", "Google Compute Engine"): "Google Compute Engine",
    ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"): "Microsoft Azure",
    ("chassis_asset_tag", "OracleCloud.com"): "Oracle Cloud",
    ("sys_vendor", "Hetzner"): "Hetzner",
    ("sys_vendor", "DigitalOcean"): "DigitalOcean",
    ("sys_vendor", "QEMU"): "a virtual machine",
    ("sys_vendor", "LENOVO"): "bare metal",
}


def checks(site):
    def refused():
        for release in ({"ID": "fedora", "VERSION_ID": "44"}, {"ID": "debian", "VERSION_ID": "11"}, {"ID": "ubuntu", "VERSION_ID": "20.04"}, {"ID": "nixos", "VERSION_ID": "25.11"}):
            site.release(**release)
            before = traces(site)
            for words in ("--no-convert", "--dry-run", "--yes", "--skip-nixos"):
                said = site.install(words, expect=1)
                assert f"this is {release['ID']} {release['VERSION_ID']} on x86_64; supported are NixOS 26.05+, Debian 12+ and Ubuntu 22.04+" in said, said
            assert traces(site) == before
        site.release(ID="nixos", VERSION_ID="26.05", VARIANT_ID="installer")
        assert "run osmoda-install" in site.install("--skip-nixos", expect=1)

    def accepted():
        for release in ({"ID": "ubuntu", "VERSION_ID": "22.04"}, {"ID": "ubuntu", "VERSION_ID": "26.04"}, {"ID": "debian"}, {"ID": "debian", "VERSION_ID": "12"}):
            site.release(**release)
            assert "systemd-install" in site.install(DRY)

    def processor():
        assert "this is debian 12 on i686; supported are" in site.install("--no-convert", expect=1, run="setarch i686 sh /root/go")

    def user():
        site.succeed("chmod 755 /root && chmod 644 /root/go")
        run = "setpriv --reuid=nobody --regid=nogroup --clear-groups sh /root/go"
        assert "this needs root" in site.install("--no-convert", expect=1, run=run)
        said = site.install(DRY, run=run)
        assert "without --dry-run this would end here: this needs root" in said and "systemd-install" in said

    def memory():
        site.write("/root/meminfo", "MemTotal:        2000000 kB\n")
        said = site.install(DRY, run="unshare -m sh -c 'mount --bind /root/meminfo /proc/meminfo && sh /root/go \"$@\"' sh")
        assert "1953 MB of memory" in said and "warning: 4 GB of memory are recommended" in said, said
        assert "warning" not in site.install(DRY)

    def clouds():
        site.write("/root/go-as", 'mount -t tmpfs t /sys/class && mkdir -p /sys/class/dmi/id && echo "$2" >/sys/class/dmi/id/$1\nshift 2\nexec sh /root/go "$@"\n')
        go = lambda name, value, words: site.install(words, run=f"unshare -m sh /root/go-as {name} {shlex.quote(value)}")
        for (name, value), cloud in CLOUDS.items():
            said = go(name, value, DRY)
            assert f" MB of memory, {cloud}\n" in said, (cloud, said)
        said = go("sys_vendor", "Google", "--dry-run")
        assert "For Google Compute Engine there is an image" in said and "#images.google-compute" in said, said

    def options():
        for words, text in (("--nonsense", "no option --nonsense"), ("extra", "no option extra"), ("--api-key", "--api-key needs a value"), ("--branch ''", "--branch needs a value"),
                            ("--branch '--upload-pack=x'", "no name of a branch"), ("--order-id 7", "is no UUID"), ("--callback-url 'https://x/\"'", "no http or https address"),
                            ("--callback-url file:///etc/passwd", "no http or https address"), ("--binaries /nowhere", "no agentd in /nowhere"), ("--yes=1", "no option 1")):
            said = site.install(words, expect=2)
            assert text in said and "==" not in said, (words, said)
        assert "usage: install.sh" in site.install("--help")
        assert "cannot be read" in site.install(DRY + " --api-key @/nowhere", expect=1)
        assert "one word of visible characters" in site.install(DRY + " --api-key 'a b'", expect=1)

    def cut():
        """However long a download was, only the whole of it does something."""
        said = site.succeed(f"""size=$(stat -c %s {REPOSITORY}/scripts/install.sh)
        for cut in $(seq 0 997 $size) $(seq $((size - 40)) $((size - 2))); do head -c $cut {REPOSITORY}/scripts/install.sh | bash -s -- --dry-run --no-convert 2>&1 | grep -F == && echo "after $cut of $size" >&2; done; true""")
        assert said == "", said
        assert "== looking" in site.succeed(f"head -c -1 {REPOSITORY}/scripts/install.sh | bash -s -- --dry-run --no-convert 2>&1")

    def alone():
        said = site.install("--no-convert", expect=1, before="exec 9>/run/osmoda-install.lock; flock 9")
        assert "another install.sh is at work here" in said

    yield "other systems and old releases are refused with the list of supported ones, nothing changed", refused
    yield "the supported ones are not", accepted
    yield "another processor is refused", processor
    yield "without root it says so, and a dry run goes on", user
    yield "little memory is a warning", memory
    yield "the provider is told from DMI, and its image named", clouds
    yield "a wrong option is answered in words, before anything is looked at", options
    yield "a download that was cut off does nothing", cut
    yield "two at a time are one", alone
