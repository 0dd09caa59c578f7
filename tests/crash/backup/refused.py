"""Backups that must not be restored: tampered with, cut, forged, foreign, unrecorded; each leaves everything as it is."""
import io, shutil, subprocess, tarfile

from ground import Ground


def encrypt(ground, data):
    key = ground.state / "agentd/backup.key"
    recipient = subprocess.run(["age-keygen", "-y", key], capture_output=True, check=True, text=True).stdout.strip()
    return subprocess.run(["age", "-r", recipient], input=data, capture_output=True, check=True).stdout


def archive(*files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def spoilt(data):
    """The bytes of a backup, each time with something wrong with them."""
    flip = lambda at: data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
    yield from ((f"a bit flipped at {at}", flip(at)) for at in (0, 100, len(data) // 2, len(data) - 1))
    yield from ((f"cut by {cut}", data[:-cut]) for cut in (1, 16, 70_000, len(data) // 2, len(data)))
    yield "a byte more", data + b"x"
    yield "no backup at all", b"hello"


def run(suite, make, binary, root):
    ground = Ground(make, binary, root / "r").grown(files=20)
    backup = ground.create()
    path = ground.backups / f"{backup['id']}.age"
    good = path.read_bytes()

    def is_refused(code, **more):
        before, size = ground.trace(), ground.agentd.call("GET", "/ledger/head").json["size"]
        answer = ground.post("/backup/restore", {"id": backup["id"], **more})
        assert answer.code == code and answer.json["next_step"], answer
        assert ground.trace() == before, "a refused restore touched something"
        kinds = [e["type"] for e in ground.agentd.call("GET", f"/events/log?after_id={size}").json["events"]]
        assert kinds == ["agentd.backup.restore.intent", "agentd.backup.restore.outcome"], kinds

    for name, data in spoilt(good):
        with suite.check(f"a backup with {name} is refused and nothing is touched"):
            path.write_bytes(data)
            verdict = ground.post("/backup/verify", {"id": backup["id"]}).json
            assert (verdict["ok"], verdict["code"]) == (False, "backup.damaged") and verdict["finding"], verdict
            is_refused("backup.damaged")
    forger = "bak_01kaq3v8e2m6zr0t5h9xw4c7yd"
    original, backup["id"] = backup["id"], forger
    path = ground.backups / f"{forger}.age"
    manifest = b'{"v":1,"id":"%s","machine_id":"%s","created_at":"2026-11-24T08:30:00.000Z","release":"0.1.0"}\n' % (forger.encode(), (ground.state / "agentd/machine-id").read_bytes().strip())
    forgeries = {
        "the name of another backup": good,
        "spoilt bytes under a name of its own": good[:-5],
        "no manifest": encrypt(ground, archive(("memory/a.md", b"evil"))),
        "a manifest that names nothing": encrypt(ground, archive(("memory/a.md", b"evil"), ("manifest.jsonl", manifest + b'{"files":0,"bytes":0}\n'))),
        "a path that leads elsewhere": encrypt(ground, archive(("memory/../../evil", b"evil"))),
        "an absolute path": encrypt(ground, archive(("/tmp/evil", b"evil"))),
        "a file of nobody": encrypt(ground, archive(("evil/a", b"evil"))),
        "no archive": encrypt(ground, b"evil" * 1000),
        "nothing": encrypt(ground, b""),
    }
    for name, data in forgeries.items():
        with suite.check(f"a forged backup with {name} is refused and nothing is touched"):
            path.write_bytes(data)
            is_refused("backup.unrecorded")
            is_refused("backup.damaged", accept_unrecorded=True)
            assert not list(root.rglob("evil")), "the forgery wrote a file"
    path.unlink()
    backup["id"] = original
    with suite.check("the good bytes are taken again"):
        (ground.backups / f"{original}.age").write_bytes(good)
        assert ground.post("/backup/restore", {"id": original}).status == 200
        ground.whole()
    with suite.check("a backup of another machine is refused, and one whose key is not here"):
        key = root / "shared.key"
        subprocess.run(["age-keygen", "-o", key], capture_output=True, check=True)
        recipient = subprocess.run(["age-keygen", "-y", key], capture_output=True, check=True, text=True).stdout.strip()
        config = {"backup": {"recipients": [recipient], "identity_file": str(key)}}
        one, two = (Ground(make, binary, root / name, config=config).grown(files=3, incidents=1) for name in ("m1", "m2"))
        backup = one.create()
        assert backup["note"]["recipients"] == [recipient] and backup["note"]["own_key"] is False
        assert not (one.state / "agentd/backup.key").exists() and one.post("/backup/verify", {"id": backup["id"]}).json["ok"]
        for there in (two, ground):
            there.backups.mkdir(exist_ok=True)
            shutil.copy(one.backups / f"{backup['id']}.age", there.backups)
        before = two.trace()
        answer = two.post("/backup/restore", {"id": backup["id"], "accept_unrecorded": True})
        assert answer.code == "backup.foreign" and two.trace() == before, answer
        verdict = two.post("/backup/verify", {"id": backup["id"]}).json
        assert (verdict["ok"], verdict["code"]) == (False, "backup.foreign"), verdict
        assert ground.post("/backup/restore", {"id": backup["id"], "accept_unrecorded": True}).code == "backup.locked"
    with suite.check("without age nothing is made, and the remedy is named"):
        bare = Ground(make, binary, root / "bare", env={"PATH": "/nowhere"}).grown(files=1, incidents=0)
        answer = bare.post("/backup/create")
        assert (answer.status, answer.code) == (503, "backup.age_absent") and "apt-get install age" in answer.json["next_step"], answer
        assert bare.agentd.call("GET", "/backup/list").json["backups"] == []
