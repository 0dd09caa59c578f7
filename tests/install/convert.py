"""Debian that becomes NixOS, up to the point of no return. The installer's own program is a stand-in here that writes down
how it was called: a container cannot replace its kernel, and install.sh says so first."""
import re

from place import PATH_FIRST, traces

ON = ["trixie"]
IMAGE = "--image /srv/image.tar.gz"
ASKING = "script -qec 'bash /root/install.sh {}' /dev/null"


def image(site, *names):
    site.succeed("rm -rf /srv/kexec && mkdir /srv/kexec")
    for name in names:
        site.write(f"/srv/kexec/{name}", "#!/bin/sh\npwd >/root/started\n" if name == "run" else name)
    site.succeed("chmod -R +x /srv/kexec && tar -C /srv -czf /srv/image.tar.gz kexec")


def checks(site):
    succeed = site.succeed
    site.write("/root/install.sh", succeed("cat /srv/os-moda/scripts/install.sh"))

    def started():
        done = site.execute("cat /root/started; rm -f /root/started")[1]
        return "No such file" not in done

    def able(text="none"):
        """A machine that could: it names no container, and root has a key."""
        site.stand_in("systemd-detect-virt", f"echo {text}; exit {int(text == 'none')}")
        site.write("/root/.ssh/authorized_keys", "# me\nssh-ed25519 AAAA me\n")

    def dry():
        image(site, "run", "kexec", "bzImage", "initrd")
        before = traces(site)
        for words in (IMAGE, IMAGE + " --yes", "", "--image https://images.invalid/installer.tar.gz"):
            said = site.install("--dry-run " + words)
            for text in ("This machine becomes NixOS", "osmoda-install, which asks for the disk and ERASES it", "switching the machine off and on brings this system back", "this is a container", "/kexec/run", "nothing was done"):
                assert text in said, (text, said)
        assert "curl --proto =https" in said and traces(site) == before and not started()

    def losses():
        succeed("mkdir -p /home/ann /srv && head -c 3M /dev/zero >/home/ann/photo")
        said = site.install("--dry-run " + IMAGE + " --api-key sk-x")
        assert re.search(r"3\.[01]M\t/home", said) and "\t/srv" in said and "give them again in step 4" in said and "sk-x" not in said, said

    def silent():
        before = traces(site)
        said = site.install(IMAGE, expect=2)
        assert "This machine becomes NixOS" in said and "there is no terminal to ask at: --yes goes ahead, --no-convert keeps this system" in said, said
        assert traces(site) == before and not started()

    def container():
        succeed("mv /usr/bin/nix /usr/bin/nix.away")
        before = traces(site)
        for _ in range(2):
            said = site.install("--yes", expect=1)
            for text in ("this is a container (systemd-nspawn)", "root has no key", "there is no installer: give --image", "--no-convert keeps this system"):
                assert text in said, (text, said)
        assert traces(site) == before
        succeed("mv /usr/bin/nix.away /usr/bin/nix")

    def asked():
        able()
        for answer in ("no", "", "YES", "y"):
            said = site.install("", before=f"{PATH_FIRST}; printf '{answer}\\n' |", run=ASKING.format(IMAGE), expect=1)
            assert "Start the installer now? Type yes:" in said and "nothing was done" in said and not started(), (answer, said)
        said = site.install("", before=f"{PATH_FIRST}; printf 'yes\\n' |", run=ASKING.format(IMAGE))
        assert "ssh root@ this address, then osmoda-install" in said and started(), said
        site.install(IMAGE + " --yes", before=PATH_FIRST)
        assert started()
        succeed("rm -r /var/tmp/osmoda-install.*")  # the installer's program runs from there

    def wrong_images():
        able()
        go = lambda words: site.install(words + " --yes", before=PATH_FIRST, expect=1)
        assert "cannot be unpacked; nothing was changed" in go("--image /etc/passwd") and "cannot be unpacked" in go("--image /nowhere")
        image(site, "run", "kexec", "bzImage")
        assert "there is no kexec/initrd in /srv/image.tar.gz, so it is no kexec installer; nothing was changed" in go(IMAGE)
        assert "begins with https://" in go("--image http://images.invalid/x.tar") and "stopped while getting the installer" in go("--image https://127.0.0.1:1/x.tar")
        image(site, "run", "kexec", "bzImage", "initrd")
        site.write("/srv/kexec/run", "#!/bin/sh\necho kexec_load failed >&2; exit 1\n")
        succeed("tar -C /srv -czf /srv/image.tar.gz kexec")
        said = go(IMAGE)
        assert "kexec_load failed" in said and "stopped while starting the installer" in said and "the same command goes on from here" in said
        assert not started() and succeed("ls /var/tmp | grep osmoda || true") == ""

    def locked_out():
        able()
        image(site, "run", "kexec", "bzImage", "initrd")
        for keys, refused in (("", True), ("# ssh-ed25519 AAAA\n", True), ("sk-ssh-ed25519@openssh.com AAAA x\n", False), ('from="192.0.2.1" ecdsa-sha2-nistp256 AAAA x\n', False)):
            site.write("/root/.ssh/authorized_keys", keys)
            assert ("root has no key" in site.install("--dry-run " + IMAGE, before=PATH_FIRST)) == refused, keys

    yield "a dry run prints the plan and every step, and does nothing", dry
    yield "what would be lost is listed with its size", losses
    yield "with neither terminal nor --yes it prints the plan and exits 2", silent
    yield "in a container it says what keeps it from working, twice the same", container
    yield "only the word yes starts it", asked
    yield "an image that is none is refused while all is as it was", wrong_images
    yield "nobody locks himself out", locked_out
