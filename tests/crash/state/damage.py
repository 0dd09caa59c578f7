"""Ways to spoil a database file, and what becomes of calls that carry a key while agentd's own state.db is spoilt."""
import shutil, sqlite3

from harness import wait_for


def overwrite(start, length):
    def damage(database):
        with open(database, "r+b") as file:
            file.seek(start if start >= 0 else max(0, database.stat().st_size + start))
            file.write(b"\xa5" * length)
    return damage


def newer(min_reader):
    def change(database):
        db = sqlite3.connect(database)
        with db:
            db.execute("UPDATE meta SET value = ? WHERE key = 'min_reader'", [min_reader])
        db.execute("PRAGMA user_version = 99")
        db.close()
    return change


def run(suite, make, root, bin_dir):
    """A call with an Idempotency-Key needs state.db: without it nothing is done, and it heals without a restart."""
    for number, (name, damage, code) in enumerate([("damaged", overwrite(0, 4096), "state.corrupt"), ("of a newer release", newer(99), "state.newer_schema")]):
        with suite.check(f"state.db {name}: a call with a key is refused and not done; it works when the file is restored"):
            agentd = make(bin_dir / "agentd", root / f"k{number}").start()
            headers = lambda key: {"X-Osmoda-Actor": "agent:main", "Idempotency-Key": key}
            notify = lambda key: agentd.call("POST", "/notify", {"title": key}, headers(key))
            assert notify("before-the-damage").status == 200 and agentd.end() == 0
            database = agentd.state / "agentd/state.db"
            shutil.copy(database, root / f"k{number}/copy.db")
            damage(database)
            agentd.start()
            size = agentd.call("GET", "/ledger/head").json["size"]
            reply = notify("while-it-is-damaged")
            assert (reply.status, reply.code) == (503, code) and reply.json["next_step"], reply
            assert agentd.call("GET", "/ledger/head").json["size"] == size, "something was done"
            assert agentd.call("POST", "/notify", {"title": "without a key"}, {"X-Osmoda-Actor": "agent:main"}).status == 200
            shutil.copy(root / f"k{number}/copy.db", database)
            wait_for("calls with a key work again", lambda: notify("after-the-repair").status == 200)
            assert notify("before-the-damage").headers["idempotency-replayed"] == "true", "its memory is lost"
