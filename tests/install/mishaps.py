"""An update of a running osModa that is killed, or whose disk is full: what runs goes on, and the next run goes on from there."""
import json

from place import PATH_FIRST, REPOSITORY

ON = ["trixie"]
OPTIONS = "--no-convert --binaries /srv/programs"


def checks(site):
    succeed = site.succeed
    health = lambda: json.loads(succeed("curl -sS --unix-socket /run/osmoda/agentd.sock http://l/health"))

    def first():
        """Killed before there was anything, too."""
        site.stand_in("git", "[ \"$5\" != fetch ] || kill -9 0\nexec /usr/bin/git \"$@\"")
        assert site.execute(f"{PATH_FIRST}; setsid -w sh /root/go {OPTIONS}")[0] == 137
        succeed("rm -r /stand-in")
        site.install(OPTIONS)
        assert health()["status"] == "ok"

    def killed():
        for program, when, first in (("git", "fetch", ""), ("git", "checkout", "rm -f /opt/osmoda/README.md; echo x >/opt/osmoda/start; touch /opt/osmoda/.git/index.lock"), ("install", "agentctl.new", "head -c 1000 /srv/programs/agentctl >/opt/osmoda/bin/agentctl.new"),
                                     ("systemd-sysusers", "osmoda.conf", ""), ("systemctl", "daemon-reload", ""), ("systemctl", "try-restart", "")):
            site.stand_in(program, f'case "$*" in *{when}*) {first}\nkill -9 0 ;; esac\nexec /usr/bin/{program} "$@"')
            status, said = site.execute(f"{PATH_FIRST}; setsid -w sh -c 'cat {REPOSITORY}/scripts/install.sh | OSMODA_REPOSITORY=file://{REPOSITORY} bash -s -- {OPTIONS}'")
            assert status == 137, (program, when, status, said[-600:])
            succeed("rm -r /stand-in")
            assert health()["status"] == "ok", "what ran before runs on"
            site.install(OPTIONS)
            assert health()["status"] == "ok" and succeed("git -C /opt/osmoda status --porcelain -uno") == "", (program, when)

    def full():
        succeed("mount -t tmpfs -o size=20M full /opt/osmoda/bin && cp -a /srv/programs/agentctl /opt/osmoda/bin")
        try:
            said = site.install(OPTIONS, expect=1)
            assert "could not be written" in said and health()["status"] == "ok" and succeed("find /opt/osmoda/bin -name '*.new'") == "", said
        finally:
            succeed("umount /opt/osmoda/bin")
        succeed("mkdir /root/aside && mount -t tmpfs -o size=100M full /opt")
        try:
            said = site.install(OPTIONS, expect=1)
            assert "/opt/osmoda needs 300 MB and has 100 MB" in said and succeed("ls /opt") == "", said
        finally:
            succeed("umount /opt")
        site.install(OPTIONS)

    yield "killed before anything was there, the next run installs", first
    yield "killed anywhere in an update, what runs goes on and so does the next run", killed
    yield "on a full disk what runs goes on, and so does the next run", full
