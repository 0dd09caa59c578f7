"""All state is lost and a backup is left: the machine keeps its id, its ledger and its incidents, whenever it is killed."""
import random, shutil, time

from ground import Ground


def events(ground):
    return ground.agentd.call("GET", "/events/log?after_id=0&limit=1000").json["events"]


def reborn(make, binary, ground, root):
    """A new machine with nothing but the old id, the key and the backups."""
    new = Ground(make, binary, root)
    (new.state / "agentd").mkdir(parents=True)
    for name in ("machine-id", "backup.key"):
        shutil.copy(ground.state / "agentd" / name, new.state / "agentd" / name)
    shutil.copytree(ground.backups, new.backups)
    return new


def restored(new, backup):
    new.agentd.start()
    refused = new.post("/backup/restore", {"id": backup["id"]})
    assert refused.code == "backup.unrecorded", refused
    answer = new.post("/backup/restore", {"id": backup["id"], "accept_unrecorded": True})
    assert answer.status == 200 and answer.json["ledger"] == "installed_at_next_start", answer
    assert new.post("/backup/restore", {"id": backup["id"], "accept_unrecorded": True}).code == "backup.busy"


def check(new, past, memories, incidents):
    new.whole()
    now = events(new)
    assert [e["hash"] for e in now[:len(past)]] == [e["hash"] for e in past], "the past is not the same"
    facts = [e["payload"] for e in now if e["type"] == "agentd.backup.restored"]
    assert facts and facts[-1]["ledger_installed"] and facts[-1]["at_start"], facts
    assert (new.memories(), new.incidents()) == (memories, incidents)
    assert list((new.state / "ledger").glob("before-*/ledger.db")), "the ledger that made room is gone"


def run(suite, make, binary, root):
    ground = Ground(make, binary, root / "l").grown(files=20)
    past, memories, incidents = events(ground), ground.memories(), ground.incidents()
    backup = ground.create()
    ground.agentd.end()
    with suite.check("a machine that lost everything has its ledger, incidents and memories back"):
        new = reborn(make, binary, ground, root / "l0")
        restored(new, backup)
        new.agentd.end()
        new.agentd.start()
        check(new, past, memories, incidents)
        assert new.post("/notify", {"title": "life goes on"}).status == 200
        new.agentd.end()
        new.agentd.start()
        new.whole()
    with suite.check("so it has when it is killed again and again while it starts"):
        for number in range(1, 5):
            new = reborn(make, binary, ground, root / f"l{number}")
            restored(new, backup)
            new.agentd.kill()
            for _ in range(6):
                new.agentd.spawn()
                time.sleep(random.uniform(0, 0.05))
                new.agentd.kill()
            new.agentd.start()
            check(new, past, memories, incidents)
            new.agentd.end()
    with suite.check("a ledger in which something stands is kept beside a backup with another past"):
        new = reborn(make, binary, ground, root / "kept")
        new.agentd.start()
        own = new.post("/incident/create", {"title": "of the new life"}).json["id"]
        answer = new.post("/backup/restore", {"id": backup["id"], "accept_unrecorded": True})
        assert answer.status == 200 and answer.json["ledger"] == "kept", answer
        assert new.incidents() == {**incidents, own: []} and new.memories() == memories
        new.whole()
        assert [e["hash"] for e in events(new)[:1]] != [e["hash"] for e in past[:1]]
