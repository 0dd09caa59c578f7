"""backup_create, _list, _verify and _restore on one machine: encrypted, checked, merged, and nothing of it by the way."""
import hashlib, json, os, shutil, subprocess

UNKNOWN = "bak_01kaq3v8e2m6zr0t5h9xw4c7yd"


def checks(agentd):
    post = lambda path, body=None: agentd.call("POST", path, body or {}, timeout=120)
    memory, backups = agentd.state / "memory/2026/11/mem_1.md", agentd.root / "backups"
    made = []

    def created():
        memory.parent.mkdir(parents=True)
        memory.write_text("remember the milk")
        os.utime(memory, (1_700_000_000, 1_700_000_000))
        post("/incident/create", {"title": "before the backup"})
        answer = post("/backup/create")
        assert answer.status == 200, answer
        backup, path = answer.json, backups / f"{answer.json['id']}.age"
        made.append(backup)
        assert backup["path"] == str(path) and backup["size_bytes"] == path.stat().st_size and path.stat().st_mode & 0o777 == 0o600
        data = path.read_bytes()
        assert data.startswith(b"age-encryption.org/v1\n") and b"remember the milk" not in data
        assert backup["note"]["digest"] == "sha256:" + hashlib.sha256(data).hexdigest()
        assert backup["note"]["own_key"] is True and (agentd.state / "agentd/backup.key").stat().st_mode & 0o777 == 0o600
        fact = agentd.call("GET", "/events/log?type=agentd.backup.created&limit=1").json["events"][0]["payload"]
        assert (fact["backup"], fact["digest"], fact["own_key"]) == (backup["id"], backup["note"]["digest"], True)
        assert sorted(p.name for p in backups.iterdir()) == [f"{backup['id']}.age", f"{backup['id']}.json"]
        assert not list((agentd.state / "agentd").glob("snapshot-*")), "a plain copy stayed"

    def opened_without_us():
        out = agentd.root / "by-hand"
        out.mkdir()
        plain = subprocess.run(["age", "-d", "-i", agentd.state / "agentd/backup.key", made[0]["path"]], capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", out], input=plain, check=True)
        lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
        files, total = lines[1:-1], lines[-1]
        assert lines[0]["id"] == made[0]["id"] and total == {"files": len(files), "bytes": sum(f["bytes"] for f in files)}
        assert all(hashlib.sha256((out / f["path"]).read_bytes()).hexdigest() == f["sha256"] for f in files)
        names = {f["path"] for f in files}
        assert {"ledger/ledger.db", "ledger/signer.key", "agentd/incidents.db", "agentd/state.db", "agentd/machine-id", "memory/2026/11/mem_1.md"} <= names, names
        assert not any(n.endswith(("-wal", "-shm", "lock")) for n in names), names
        shutil.rmtree(out)

    def listed():
        second = post("/backup/create").json
        made.append(second)
        page = agentd.call("GET", "/backup/list?limit=1").json
        assert page["backups"] == [second] and page["next"] == second["id"], page
        assert agentd.call("GET", f"/backup/list?after={page['next']}").json == {"backups": [made[0]], "next": None}
        assert agentd.call("GET", "/backup/list?after=x").code == "request.field"

    def verified():
        answer = post("/backup/verify", {"id": made[0]["id"]}).json
        assert (answer["ok"], answer["recorded"], answer["code"]) == (True, True, None) and answer["ledger_size"] > 0, answer
        assert {"agentd/incidents.db", "agentd/state.db", "ledger/ledger.db"} <= set(answer["databases"]) and answer["files"] == made[0]["note"]["files"]
        for path in ("/backup/verify", "/backup/restore"):
            assert post(path, {"id": UNKNOWN}).code == "backup.not_found" and post(path, {"id": "x"}).code == "request.field"

    def restored():
        memory.write_text("older than the backup's")
        os.utime(memory, (1_600_000_000, 1_600_000_000))
        newer = memory.with_name("mem_2.md")
        newer.write_text("made since")
        after = post("/incident/create", {"title": "after the backup"}).json["id"]
        size = agentd.call("GET", "/ledger/head").json["size"]
        answer = post("/backup/restore", {"id": made[0]["id"]})
        assert answer.status == 200 and answer.json["ledger"] == "kept" and answer.json["files"] >= 1, answer
        assert memory.read_text() == "remember the milk" and int(memory.stat().st_mtime) == 1_700_000_000 and newer.read_text() == "made since"
        assert agentd.call("GET", f"/incident/{after}").status == 200, "an incident since then is gone"
        events = agentd.call("GET", f"/events/log?after_id={size}&limit=1000").json["events"]
        assert [e["type"] for e in events if "session" not in e["type"]] == ["agentd.backup.restore.intent", "agentd.backup.restored", "agentd.backup.restore.outcome"], events
        assert events[0]["id"] == size + 1 and agentd.call("POST", "/ledger/verify", {}).json["ok"]
        assert post("/backup/restore", {"id": made[0]["id"]}).json["files"] == 0, "a second time there is nothing to do"
        assert not list((agentd.state / "agentd").glob("restore*"))

    yield "a backup is encrypted, appears whole, and its digest stands in the ledger", created
    yield "age and tar open it without us, and the manifest holds", opened_without_us
    yield "the list is newest first, page by page", listed
    yield "a good backup verifies; an unknown one is refused", verified
    yield "a restore merges: older and missing files come back, what is newer stays, the ledger goes on", restored
