#!/usr/bin/env python3
"""Backups and restores that are killed, tampered with, of another machine, or all that is left. Usage: run.py BIN_DIR."""
import os, pathlib, random, sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2]))
from harness import Suite, playground

import lost, refused
from ground import Ground

ROUNDS = 25 if os.environ.get("OSMODA_TEST") == "full" else 8


def killed_creating(ground):
    ground.create()
    answered = 0
    for number in range(ROUNDS):
        answered += ground.killed_during("/backup/create", {}, random.uniform(0, 0.4) if number % 2 else random.uniform(0, 0.08))
        ground.agentd.start()
        ground.whole()
    listed = ground.agentd.call("GET", "/backup/list?limit=1000").json["backups"]
    assert len(listed) >= 1 + answered, f"{answered} were answered, {len(listed)} are there"
    for backup in listed:
        verdict = ground.post("/backup/verify", {"id": backup["id"]}).json
        assert verdict["ok"], verdict


def killed_restoring(ground):
    backup, memories, incidents = ground.create(), ground.memories(), ground.incidents()
    none = all = 0
    for number in range(ROUNDS):
        ground.forget()
        answered = ground.killed_during("/backup/restore", {"id": backup["id"]}, random.uniform(0, 0.6) if number % 2 else random.uniform(0.05, 0.2))
        ground.agentd.start()
        ground.whole()
        now = ground.memories()
        assert now in ([], memories), f"{len(now)} of {len(memories)} memories"
        assert not answered or now == memories, "an answered restore was undone"
        assert ground.incidents() == (incidents if now else {}), "incidents and memories are not of one moment"
        none, all = none + (now == []), all + (now != [])
    print(f"      undone {none} times, completed {all} times", flush=True)
    ground.forget()
    answer = ground.post("/backup/restore", {"id": backup["id"]})
    assert answer.status == 200 and answer.json["incidents"] == len(incidents), answer
    assert (ground.memories(), ground.incidents()) == (memories, incidents)
    facts = ground.agentd.call("GET", "/events/log?type=agentd.backup.restored&limit=1000").json["events"]
    assert len(facts) >= all + 1, f"{all + 1} restores, {len(facts)} facts"


def killed_between_step_and_fact(ground):
    """The steps there are and the facts there are stay the same, whenever agentd is killed."""
    id = next(iter(ground.incidents()))
    for _ in range(ROUNDS):
        ground.killed_during(f"/incident/{id}/step", {"kind": "action", "text": f"step {random.random()}"}, random.uniform(0, 0.02))
        ground.agentd.start()
    steps = ground.incidents()[id]
    facts = ground.agentd.call("GET", "/events/log?type=agentd.incident.extended&limit=1000").json["events"]
    assert sorted(e["payload"]["text"] for e in facts if e["payload"]["incident"] == id) == sorted(steps)


def main(bin_dir):
    suite, binary = Suite(), bin_dir / "agentd"
    with playground() as (root, make):
        for number, test in enumerate([killed_creating, killed_restoring, killed_between_step_and_fact]):
            with suite.check(test.__name__.replace("_", " ")):
                test(Ground(make, binary, root / f"k{number}").grown())
        refused.run(suite, make, binary, root)
        lost.run(suite, make, binary, root)
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
