"""A machine with something to lose, and what it is made of."""
import contextlib, os, threading, time

from harness import wait_for


class Ground:
    def __init__(self, make, binary, root, **more):
        self.agentd = make(binary, root, **more)
        self.root, self.state, self.backups = root, self.agentd.state, root / "backups"

    def grown(self, files=200, incidents=5):
        """Starts it with memories of a past day and incidents with a step each."""
        folder = self.state / "memory/2026/11"
        folder.mkdir(parents=True)
        for number in range(files):
            path = folder / f"mem_{number}.md"
            path.write_text(f"memory {number} " + "x" * 4000)
            os.utime(path, (1_700_000_000, 1_700_000_000))
        self.agentd.start()
        for number in range(incidents):
            id = self.post("/incident/create", {"title": f"incident {number}"}).json["id"]
            assert self.post(f"/incident/{id}/step", {"kind": "evidence", "text": "seen"}).status == 200
        return self

    def post(self, path, body=None):
        return self.agentd.call("POST", path, body or {}, timeout=120)

    def create(self):
        answer = self.post("/backup/create")
        assert answer.status == 200, answer
        return answer.json

    def killed_during(self, path, body, delay):
        """Makes the call and kills agentd `delay` seconds into it; whether the call was answered before."""
        answered = []

        def ask():
            with contextlib.suppress(OSError, Exception):
                answered.append(self.post(path, body).status)

        caller = threading.Thread(target=ask)
        caller.start()
        time.sleep(delay)
        self.agentd.kill()
        caller.join()
        return answered == [200]

    def memories(self):
        return sorted(path.name for path in (self.state / "memory").rglob("*.md"))

    def incidents(self):
        ids = [row["id"] for row in self.agentd.call("GET", "/incidents?limit=1000").json["incidents"]]
        return {id: [step["text"] for step in self.agentd.call("GET", f"/incident/{id}").json["steps"]] for id in ids}

    def whole(self):
        """The ledger verifies, agentd is well and nothing unfinished lies about."""
        verdict = self.post("/ledger/verify").json
        assert verdict["ok"], verdict
        health = wait_for("health", lambda: self.agentd.health())
        assert health["status"] == "ok", health["checks"]
        rest = [path.name for path in (self.state / "agentd").iterdir() if path.name.startswith(("restore", "snapshot"))]
        rest += [path.name for path in self.backups.glob(".*")] if self.backups.exists() else []
        assert not rest, rest

    def forget(self):
        """Loses memories and incidents, as a disk may, and starts again."""
        self.agentd.end()
        for path in (self.state / "memory").rglob("*.md"):
            path.unlink()
        for path in (self.state / "agentd").glob("incidents.db*"):
            path.unlink()
        self.agentd.start()

    def trace(self):
        """What a refused restore must not touch."""
        files = {str(path.relative_to(self.state)): path.read_bytes() for folder in ("memory", "config", "secrets") for path in (self.state / folder).rglob("*") if path.is_file()}
        return files, self.incidents(), sorted(path.name for path in (self.state / "agentd").iterdir())
