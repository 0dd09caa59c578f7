#!/usr/bin/env python3
"""run.py BIN_DIR: a ledger.db is changed by hand in every way we know; each change is found at its place, by all verifiers alike."""
import pathlib, re, shutil, sqlite3, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))
from harness import Suite, playground
from wire import GENESIS, Source, call, event, sha

EVENTS, PLACE, KEPT = 300, 147, 200  # rows; where it is tampered with; size of the checkpoint kept elsewhere (about)


def rehash(db, start):
    """Makes the chain consistent again from `start` on, as an attacker would."""
    last = db.execute("SELECT hash FROM events WHERE id = ?", [start - 1]).fetchone()
    last = last[0] if last else GENESIS
    for row in db.execute("SELECT id, ts, type, actor, payload FROM events WHERE id >= ? ORDER BY id", [start]).fetchall():
        prev, last = last, sha(*row, last)
        db.execute("UPDATE events SET prev_hash = ?, hash = ? WHERE id = ?", [prev, last, row[0]])
    db.execute("DELETE FROM tiles")


def set_column(column, value):
    return lambda db: db.execute(f"UPDATE events SET {column} = {value} WHERE id = {PLACE}")


def swap(db):
    rows = db.execute(f"SELECT ts, type, actor, payload, prev_hash, hash FROM events WHERE id IN ({PLACE}, {PLACE + 1}) ORDER BY id").fetchall()
    for at, row in zip((PLACE + 1, PLACE), rows):
        db.execute("UPDATE events SET ts = ?, type = ?, actor = ?, payload = ?, prev_hash = ?, hash = ? WHERE id = ?", [*row, at])


def insert(db):
    db.execute(f"UPDATE events SET id = -id WHERE id >= {PLACE}")
    db.execute("UPDATE events SET id = 1 - id WHERE id < 0")
    db.execute(f"INSERT INTO events SELECT {PLACE}, ts, type, actor, payload, prev_hash, hash FROM events WHERE id = {PLACE - 1}")
    db.execute(f"UPDATE events SET prev_hash = (SELECT hash FROM events WHERE id = {PLACE - 1}) WHERE id = {PLACE}")


def cut(db, size=KEPT - 20, notes=True):
    db.execute("DELETE FROM events WHERE id > ?", [size])
    db.execute("DELETE FROM tiles")
    if notes:
        db.execute("DELETE FROM checkpoints WHERE size > ?", [size])


def rewrite(db, notes=True):
    set_column("payload", "replace(payload, 'tampered', 'repaired')")(db)
    rehash(db, PLACE)
    if notes:
        db.execute("DELETE FROM checkpoints WHERE size >= ?", [PLACE])


FLIPS = {  # what → SQL for one changed byte
    "payload": "replace(payload, 'tampered', 'tamperee')", "actor": "'agent:maim'", "type": "'watch.tamper.testee'", "ts": "substr(ts, 1, 22) || 'X' || 'Z'",
    "hash": "CASE substr(hash, 1, 1) WHEN '0' THEN '1' ELSE '0' END || substr(hash, 2)", "prev_hash": "CASE substr(prev_hash, 1, 1) WHEN '0' THEN '1' ELSE '0' END || substr(prev_hash, 2)",
}
# name → (change, kept checkpoint is given, exit code, id named, agentd can know by itself)
CASES = {f"a flipped byte in {column}": (set_column(column, value), False, 1, PLACE, True) for column, value in FLIPS.items()} | {
    "a column that is no text": (set_column("payload", "x'00ff'"), False, 1, PLACE, True),
    "a deleted row": (lambda db: db.execute(f"DELETE FROM events WHERE id = {PLACE}"), False, 1, PLACE, True),
    "a deleted first row": (lambda db: db.execute("DELETE FROM events WHERE id = 1"), False, 1, 1, True),
    "a swapped pair": (swap, False, 1, PLACE, True),
    "an inserted row": (insert, False, 1, PLACE, True),
    "a truncated tail, its checkpoints left": (lambda db: cut(db, notes=False), False, 3, None, True),
    "a truncated tail, its checkpoints gone too": (cut, True, 3, None, False),
    "a rewritten chain, its checkpoints left": (lambda db: rewrite(db, notes=False), False, 2, None, True),
    "a rewritten chain, its checkpoints gone too": (rewrite, True, 2, None, False),
    "nothing": (lambda db: None, True, 0, None, False),
}


def grow(agentd):
    """A ledger of EVENTS rows; the checkpoint taken on the way."""
    source, note = Source("watch"), None
    while (size := agentd.call("GET", "/ledger/head").json["size"]) < EVENTS:
        reply = source.post(agentd.sock, [event("watch.tamper.tested", text=f"tampered {n}") for n in range(20)])
        assert reply.status == 200, reply
        if note is None and size >= KEPT:
            note = agentd.call("GET", "/ledger/checkpoint").json["note"]
    return note


def tamper(folder, change):
    db = sqlite3.connect(folder / "ledger.db")
    with db:
        for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        change(db)
    db.close()


def examine(suite, agentd, name, note, bin_dir, case):
    """What agentd, agentctl and the Python verifier say of the changed ledger."""
    change, against, code, place, knows = case
    with suite.check(f"{name}: agentd starts, answers, and finds it ({code})"):
        agentd.start()
        assert agentd.call("GET", "/health").status == 200
        found = agentd.call("POST", "/ledger/verify", {"against": [note] if against else []}).json
        assert (found["exit_code"], found["broken_at"]) == (code, place), found
    if knows:
        with suite.check(f"{name}: /health is degraded from then on and says what to do"):
            check = next(check for check in agentd.health()["checks"] if check["name"] == "ledger")
            assert check["status"] == "degraded" and check["code"] == "state.corrupt" and check["remedy"], check
    file, kept = agentd.root / "export.jsonl", agentd.root / "kept.note"
    kept.write_text(note)
    with suite.check(f"{name}: the whole export comes, or says why not"):
        file.write_bytes(b"")
        reply = call(agentd.sock, "GET", "/ledger/export")
        file.write_bytes(reply.body)
        assert reply.status == 200 or (place, reply.code) == (1, "state.corrupt"), reply  # event 1 names the log and its key
    if place == 1:
        code, place = 4, None  # there is nothing to verify
    more = ["--against", kept] if against else []
    for who, command in {"agentctl": [bin_dir / "agentctl", "verify-ledger", "--offline", file, *more], "verify.py": [sys.executable, ROOT / "docs/ledger/verify.py", file, *more]}.items():
        with suite.check(f"{name}: {who} says so from an export"):
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == code, (done.returncode, (done.stdout + done.stderr)[:400])
            assert place is None or re.search(rf"\b{place}\b", done.stdout + done.stderr), done.stdout + done.stderr
    with suite.check(f"{name}: agentd lives on and stops cleanly"):
        assert agentd.alive() and "panicked" not in agentd.log() and agentd.end() == 0


def main(bin_dir):
    suite = Suite()
    with playground() as (root, make):
        first = make(bin_dir / "agentd", root / "a").start()
        note = grow(first)
        assert first.end() == 0
        for number, (name, case) in enumerate(CASES.items()):
            folder = root / f"t{number}"
            shutil.copytree(first.state, folder / "state")
            tamper(folder / "state" / "ledger", case[0])
            examine(suite, make(bin_dir / "agentd", folder), name, note, bin_dir, case)
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
