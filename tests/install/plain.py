"""--no-convert with a real systemd, on the oldest supported Debian and, in the full run, on the next one."""
import json, os, re, threading

from place import GIT, PATH_FIRST, REPOSITORY, ROOT, traces

ON = ["bookworm", "trixie"] if os.environ.get("OSMODA_TEST") == "full" else ["bookworm"]
KEY = "sk-ant-test-" + os.urandom(8).hex()
ORDER = "123e4567-e89b-42d3-a456-426614174000"
OPTIONS = "--no-convert --binaries /srv/programs"
# Everything that install.sh starts looks for the key in every command line and environment before it does its work.
SPY = """grep -lsF -f /spy/key /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>/spy/leaks
echo %s >>/spy/spied
exec %s "$@"
"""
LISTENER = """use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 8099, Listen => 1, ReuseAddr => 1) or die; open $r, '>', '/root/ready'; close $r;
$c = $s->accept; while (<$c>) { $n = $1 if /^Content-Length: (\\d+)/i; last if /^\\r/ } read $c, $body, $n; print $c "HTTP/1.1 204 No Content\\r\\n\\r\\n";
open $o, '>', '/root/heartbeat'; print $o $body;"""


def checks(site):
    succeed = site.succeed
    health = lambda: json.loads(succeed("curl -sS --unix-socket /run/osmoda/agentd.sock http://l/health"))
    head = lambda: succeed("git -C /opt/osmoda rev-parse HEAD")

    def dry():
        before = traces(site)
        said = site.install("--dry-run " + OPTIONS)
        assert "+ /opt/osmoda/scripts/systemd-install --binaries /srv/programs" in said and "nothing was done" in said, said
        assert traces(site) == before

    def installed():
        said = site.install(f"{OPTIONS} --order-id {ORDER}")
        assert "agentd  ok" in said and "Installed." in said, said[-900:]
        assert health()["status"] == "ok"
        assert succeed("/usr/local/bin/agentctl verify-ledger").startswith("whole")
        assert succeed("systemctl is-enabled osmoda-agentd.service osmoda-agentd.socket osmoda-agentd-root.socket").split() == ["enabled"] * 3
        owners = succeed("stat -c '%U:%G %a' /run/osmoda /run/osmoda/agentd.sock /run/osmoda/root.sock /var/lib/osmoda /var/lib/osmoda/config /var/lib/osmoda/config/order-id /opt/osmoda").splitlines()
        assert owners == ["root:osmoda 755", "root:osmoda 660", "osmoda-agentd:root 600", "root:root 755", "osmoda-agentd:osmoda-agentd 700", "osmoda-agentd:osmoda-agentd 600", "root:root 755"], owners
        assert succeed("systemctl list-units --failed --plain --no-legend 'osmoda*'") == ""
        assert succeed("ps -o user:20= -p $(systemctl show -P MainPID osmoda-agentd)").strip() == "osmoda-agentd"

    def units():
        said = site.execute("systemd-analyze verify --man=no /etc/systemd/system/osmoda-*")
        assert said[0] == 0 and "osmoda" not in said[1], said[1]

    def seed():
        """The reference's commands for what exists, to the letter; agentctl is on everybody's PATH."""
        for line in ("curl -s --unix-socket /run/osmoda/agentd.sock http://l/health", "curl -s --unix-socket /run/osmoda/agentd.sock http://l/events/log?limit=5",
                     "systemctl start osmoda-agentd", "systemctl enable osmoda-agentd", "systemctl status osmoda-agentd", "PATH=$PATH:/usr/local/bin; agentctl verify-ledger"):
            assert '"code"' not in succeed(line), line

    def hidden():
        site.write("/spy/key", KEY)
        succeed("touch /spy/leaks /spy/spied && chmod 666 /spy/leaks /spy/spied")
        for program in succeed("cd /usr/bin && ls git install systemctl setpriv mv cp ln cat sh df awk stat realpath systemd-sysusers systemd-tmpfiles").split():
            site.stand_in(program, SPY % (program, f"/usr/bin/{program}"))
        site.write("/root/with-key", f"export OSMODA_REPOSITORY=file://{REPOSITORY}\n/usr/bin/cat {REPOSITORY}/scripts/install.sh | bash -s -- --api-key {KEY} {OPTIONS}\n")
        said = site.install("", before=PATH_FIRST, run="/usr/bin/sh /root/with-key")
        spied = set(succeed("cat /spy/spied").split())
        assert {"git", "install", "systemctl", "setpriv", "sh"} <= spied, spied
        assert succeed("cat /spy/leaks") == "" and KEY not in said
        assert succeed("cat /var/lib/osmoda/config/api-key; stat -c '%U %a' /var/lib/osmoda/config/api-key").split() == [KEY, "osmoda-agentd", "600"]
        succeed("rm /root/with-key")
        found = succeed("grep -rlsF -f /spy/key /etc /home /opt /root /run /srv /tmp /usr/local /var; true").split()
        assert found == ["/var/lib/osmoda/config/api-key"], found
        site.fail("journalctl --no-pager -o export | grep -aF -f /spy/key")
        succeed(f"sh -c '/stand-in/git --version' {KEY}; grep -q cmdline /spy/leaks; rm -r /stand-in /spy")  # the spy sees what there is to see
        site.write("/root/key-file", KEY + "2\n")
        site.install(OPTIONS + " --api-key @/root/key-file")
        assert succeed("cat /var/lib/osmoda/config/api-key").strip() == KEY + "2"

    def heartbeat():
        assert succeed("systemctl is-enabled osmoda-callback.timer || true").strip() in ("disabled", "indirect"), "off unless given"
        site.install(OPTIONS + " --callback-url 'http://127.0.0.1:8099/beat?of=1&token=a%20b'")
        assert succeed("systemctl is-active osmoda-callback.timer").strip() == "active"
        site.write("/root/listen.pl", LISTENER)
        succeed("perl /root/listen.pl >/dev/null 2>&1 & for i in $(seq 300); do [ -e /root/ready ] && break; sleep 0.1; done; systemctl start osmoda-callback.service; wait")
        assert json.loads(succeed("cat /root/heartbeat")) == {"order_id": ORDER, "status": "ok", "version": health()["version"]}

    def updated():
        succeed("""curl -sS --unix-socket /run/osmoda/agentd.sock http://l/memory/store -d '{"summary":"the update kept me","detail":"x","category":"note","tags":[]}' -H 'Content-Type: application/json' | grep mem_""")
        old, identity = head(), succeed("/usr/local/bin/agentctl checkpoint").splitlines()[0]
        events = int(json.loads(succeed("curl -sS --unix-socket /run/osmoda/agentd.sock http://l/events/log?limit=1"))["events"][0]["id"])
        succeed(f"cd {REPOSITORY} && echo >>README.md && {GIT} commit -qam newer && printf x >>/srv/programs/agentd")
        succeed("""echo '{"root_socket":"/run/osmoda/root.sock","drain_secs":7}' >/etc/osmoda/agentd.json; cp /etc/systemd/system/osmoda-callback.service /etc/systemd/system/osmoda-gone.service""")
        answered, refused, done = [], [], threading.Event()

        def call():
            """Not through the driver's shell, which takes one command at a time."""
            while not done.is_set():
                try:
                    answered.append(site.machine.call("GET", "/health").status)
                except Exception as error:
                    refused.append(repr(error))

        caller = threading.Thread(target=call)
        caller.start()
        try:
            said = site.install(OPTIONS)
        finally:
            done.set()
            caller.join()
        assert not refused and set(answered) == {200}, (refused[:2], set(answered))
        assert head() != old and succeed("cmp /srv/programs/agentd /opt/osmoda/bin/agentd && readlink /proc/$(systemctl show -P MainPID osmoda-agentd)/exe").strip() == "/opt/osmoda/bin/agentd"
        assert "/etc/osmoda/agentd.json stays as it is" in said and '"drain_secs":7' in succeed("cat /etc/osmoda/agentd.json")
        site.fail("test -e /etc/systemd/system/osmoda-gone.service")
        assert succeed("/usr/local/bin/agentctl checkpoint").splitlines()[0] == identity
        assert int(json.loads(succeed("curl -sS --unix-socket /run/osmoda/agentd.sock http://l/events/log?limit=1"))["events"][0]["id"]) >= events
        assert succeed("/usr/local/bin/agentctl verify-ledger").startswith("whole") and "the update kept me" in succeed("/usr/local/bin/agentctl memory list")

    def by_hand():
        succeed("echo mine >>/opt/osmoda/README.md")
        assert "changed by hand" in site.install(OPTIONS, expect=1) and health()["status"] == "ok"
        succeed("git -C /opt/osmoda checkout -q .")

    def removed():
        """As docs/install.md says, word by word."""
        section = (ROOT / "docs/install.md").read_text().split("## Removing it")[1]
        block = re.search(r"### Plain Linux\n.*?```sh\n(.*?)```", section, re.S)[1]
        remove, rest = block.split("\n", 1)
        succeed(remove)
        assert succeed("find /etc/systemd /etc/sysusers.d /etc/tmpfiles.d /usr/local -name '*osmoda*' -o -name 'agentctl*'") == ""
        assert succeed("systemctl list-units --all --plain --no-legend 'osmoda*'") == "" and succeed("pgrep -c agentd || true").strip() == "0"
        site.install(OPTIONS)
        assert "the update kept me" in succeed("/usr/local/bin/agentctl memory list"), "state outlives the programs"
        succeed(remove)
        succeed(rest)
        left = succeed("find / -xdev -name '*osmoda*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/root/*' -not -path '/run/*' 2>/dev/null; grep osmoda /etc/passwd /etc/group || true")
        assert left == "", left
        site.install(OPTIONS)

    yield "a dry run prints the steps and changes nothing", dry
    yield "osModa is installed, healthy, and everything has its owner", installed
    yield "systemd finds nothing wrong with the units", units
    yield "the reference's commands work", seed
    yield "the key is in its file and nowhere else, at no time", hidden
    yield "the heartbeat is off, and goes to the address that was given", heartbeat
    yield "a second run updates in place: no call refused, state and settings kept", updated
    yield "a clone that somebody works in is left alone", by_hand
    yield "it is removed as the docs say, with or without its state", removed
