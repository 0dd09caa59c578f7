#!/usr/bin/env python3
"""run.py BIN_DIR: files as an attacker who is the agent: nothing outside the roots is read or written, no partial file is left, memory stays bounded."""
import os, pathlib, resource, sys, threading, time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests")]
from harness import Suite, playground, tmpfs
from wire import Connection

AGENT = {"X-Osmoda-Actor": "agent:attacker"}
FULL = os.environ.get("OSMODA_TEST") == "full"
SWAPS, NAMES = (100_000, 1_000_000) if FULL else (20_000, 100_000)


class Attack:
    def __init__(self, agentd, roots, outside):
        self.agentd, self.inside, self.outside = agentd, roots, outside

    def call(self, what, **arguments):
        return self.agentd.call("POST", f"/file/{what}", arguments, AGENT.items(), timeout=120)

    def read(self, path, **more):
        return self.call("read", path=str(path), **more)

    def write(self, path, content="ATTACK"):
        return self.call("write", path=str(path), content=content)

    def clean(self):
        left = [name for name in os.listdir(self.inside) if "osmoda-tmp" in name]
        assert not left, f"a partial file was left: {left}"


def traversal(attack):
    secret = attack.outside / "secret"
    for path in (f"{attack.inside}/../outside/secret", f"{attack.inside}/./../outside/secret", f"{attack.inside}//../outside/secret", str(secret), f"{attack.inside}/..", "", "/", "..", f"{attack.inside}\x00/x"):
        for answer in (attack.read(path), attack.write(path), attack.call("delete", path=path), attack.call("list", path=path + "/..")):
            assert answer.status in (400, 403, 422) and b"SECRET" not in answer.body, (path, answer)
    assert secret.read_text() == "SECRET"


def races(attack):
    """A thread swaps a folder and a link to the outside, as fast as it can, while the agent reads, writes, lists and deletes."""
    inside, stop, swaps = attack.inside, threading.Event(), [0]
    (inside / "real").mkdir()
    (inside / "real/secret").write_text("harmless")
    (inside / "evil").symlink_to(attack.outside)

    def swap():
        while not stop.is_set() and swaps[0] < SWAPS:
            os.rename(inside / "real", inside / "dir")
            os.rename(inside / "dir", inside / "real")
            os.rename(inside / "evil", inside / "dir")
            os.rename(inside / "dir", inside / "evil")
            swaps[0] += 2

    swapper, connection, outcomes = threading.Thread(target=swap), Connection(attack.agentd.sock), {}
    swapper.start()
    while swapper.is_alive():
        for what, body in (("read", {}), ("write", {"content": "ATTACK"}), ("delete", {})):
            reply = connection.send_call("POST", f"/file/{what}", {"path": f"{inside}/dir/secret", **body}, AGENT.items())
            assert b"SECRET" not in reply.body, reply
            outcomes[reply.status, reply.code] = outcomes.get((reply.status, reply.code), 0) + 1
    stop.set()
    swapper.join()
    assert (attack.outside / "secret").read_text() == "SECRET" and os.listdir(attack.outside) == ["secret"], os.listdir(attack.outside)
    assert swaps[0] >= SWAPS and any(status == 409 for status, _ in outcomes), f"the race was never met: {outcomes}"


def hard_links(attack):
    link = attack.inside / "hard"
    os.link(attack.outside / "secret", link)
    assert attack.read(link).code == "file.link" and attack.write(link).code == "file.link" and attack.call("delete", path=str(link)).code == "file.link"
    assert attack.call("search", path=str(attack.inside), text="SECRET").json["files"] == []
    assert (attack.outside / "secret").read_text() == "SECRET"


def specials(attack):
    os.mkfifo(attack.inside / "fifo")
    os.mknod(attack.inside / "null", 0o600 | 0o020000, os.makedev(1, 3))
    for path, code in ((attack.inside / "fifo", "file.kind"), (attack.inside / "null", "file.kind"), ("/proc/self/mem", "policy.denied"), ("/proc/1/environ", "policy.denied"), ("/dev/mem", "policy.denied"), ("/sys/power/state", "policy.denied")):
        began = time.monotonic()
        assert attack.read(path).code == code and attack.write(path).code == code and time.monotonic() - began < 10, path


def names(attack):
    for name in ("new\nline", "ta\tb", "quote\"", "émoji 🚀", "-rf", "x" * 255):
        assert attack.write(attack.inside / name, "ok").status == 200 and attack.read(attack.inside / name).json["content"] == "ok", name
    assert attack.write(attack.inside / ("x" * 256)).code == "request.field"
    open(os.path.join(os.fsencode(attack.inside), b"bad\xff"), "w").close()
    assert any("name_base64" in entry for entry in attack.call("list", path=str(attack.inside), limit=1000).json["entries"])
    raw = attack.agentd.call("POST", "/file/read", b'{"path":"' + os.fsencode(attack.inside) + b'/bad\xff"}', {**AGENT, "Content-Type": "application/json"}.items())
    assert raw.status == 400, raw


def sizes(attack):
    with open(attack.inside / "sparse", "wb") as file:
        file.truncate(100 << 30)
    part = attack.read(attack.inside / "sparse", offset=99 << 30, max_bytes=100, encoding="base64").json
    assert part["size_bytes"] == 100 << 30 and part["truncated"]
    # Too large to keep: it is overwritten and deleted without undo.
    assert attack.write(attack.inside / "sparse", "small").json["undo"] is None
    many = attack.inside / "many"
    many.mkdir()
    for n in range(NAMES):
        os.close(os.open(many / f"{n:07}", os.O_CREAT))
    page = attack.call("list", path=str(many), limit=1000).json
    assert [entry["name"] for entry in page["entries"]] == [f"{n:07}" for n in range(1000)] and page["next"]
    assert attack.call("search", path=str(many), name=f"{NAMES - 1:07}").json["files"]
    assert attack.agentd.anon_bytes() < 150 << 20, f"{attack.agentd.anon_bytes() >> 20} MiB"


def full_disk(attack):
    with tmpfs(attack.inside / "small", "1m") as small:
        (small / "kept").write_text("whole")
        assert attack.write(small / "kept", "x" * (2 << 20)).code == "state.full"
        assert (small / "kept").read_text() == "whole" and os.listdir(small) == ["kept"], os.listdir(small)
        assert attack.write(small / "kept", "fits").status == 200


def main():
    suite = Suite()
    with playground() as (root, make), playground() as (place, _):
        inside, outside = place / "inside", place / "outside"
        inside.mkdir(), outside.mkdir()
        (outside / "secret").write_text("SECRET")
        config = {"files": {"read": [str(inside)], "write": [str(inside)]}}
        agentd = make(pathlib.Path(sys.argv[1]).resolve() / "agentd", root, config=config).start()
        attack = Attack(agentd, inside, outside)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        for name, check in (("paths that lead outside", traversal), ("links swapped in while the agent works", races), ("hard links to the outside", hard_links), ("FIFOs, devices and kernel files", specials), ("names of every kind", names), ("huge files and folders", sizes), ("a disk that fills up in the middle of a write", full_disk)):
            with suite.check(name):
                check(attack)
                attack.clean()
        with suite.check("agentd is well after all of it"):
            assert agentd.health()["status"] == "ok" and "panic" not in agentd.log()
            assert agentd.call("POST", "/ledger/verify", {}).json["ok"]
    suite.end()


if __name__ == "__main__":
    main()
