"""undo: exactly back, refused where somebody else was, and first what nothing brings back."""
import os, pathlib, tempfile

AGENT = {"X-Osmoda-Actor": "agent:undoer"}.items()


def checks(agentd):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osm-undo-"))
    write = lambda path, content: agentd.call("POST", "/file/write", {"path": str(path), "content": content}, AGENT).json["undo"]
    undo = lambda **what: agentd.call("POST", "/undo", what, AGENT)

    def exactly():
        path = folder / "a"
        path.write_bytes(b"\x00old\xff")
        os.chown(path, 7, 8)
        os.chmod(path, 0o640)
        os.utime(path, ns=(1_500_000_000_123_456_789, 1_400_000_000_987_654_321))
        number = write(path, "new")
        assert undo(undo=number).json["undone"][0]["what"] == f"file {path}"
        stat = path.stat()
        assert path.read_bytes() == b"\x00old\xff" and (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (7, 8, 0o640)
        assert stat.st_mtime_ns == 1_400_000_000_987_654_321, stat.st_mtime_ns
        assert undo(undo=number).code == "undo.not_found"

    def refused():
        path = folder / "b"
        number = write(path, "mine")
        path.write_text("somebody else's")
        answer = undo(undo=number).json
        assert not answer["undone"] and "changed since" in answer["refused"][0]["why"] and path.read_text() == "somebody else's", answer
        other = agentd.call("POST", "/undo", {"undo": number}, {"X-Osmoda-Actor": "agent:another"}.items())
        assert other.code == "policy.denied", other
        path.write_text("mine")
        assert undo(undo=number).json["undone"] and not path.exists(), "a file that was made is taken away"

    def everything():
        path, moved = folder / "c", folder / "d"
        write(path, "1")
        write(path, "2")
        agentd.call("POST", "/file/move", {"from": str(path), "to": str(moved)}, AGENT)
        agentd.call("POST", "/shell/exec", {"command": "true"}, AGENT)
        plan = undo(since="1h", dry_run=True).json
        assert moved.exists() and plan["impossible"][0]["call"] == "agentd.shell.exec" and len(plan["undone"]) == 3 and not plan["refused"], plan
        done = undo(since="1h").json
        assert len(done["undone"]) == 3 and not path.exists() and not moved.exists(), done
        assert not undo(since="1h").json["undone"]

    def by_event():
        write(folder / "e", "x")
        outcome = agentd.call("GET", "/events/log?type=agentd.file.write.outcome&limit=1").json["events"][0]
        assert undo(event=outcome["id"]).json["undone"] and not (folder / "e").exists()
        assert undo(event=1).code == "undo.not_found" and undo().code == "request.field"

    def memories():
        stored = agentd.call("POST", "/memory/store", {"summary": "the undoer was here"}, AGENT).json["id"]
        number = agentd.call("GET", "/events/log?type=agentd.memory.store.outcome&limit=1").json["events"][0]["payload"]["undo"]
        path = next((agentd.state / "memory").glob(f"*/*/{stored}.md"))
        assert undo(undo=number).json["undone"][0]["what"] == f"memory {stored}" and not path.exists()
        stored = agentd.call("POST", "/memory/store", {"summary": "the undoer was here again"}, AGENT).json["id"]
        path = next((agentd.state / "memory").glob(f"*/*/{stored}.md"))
        bytes_ = path.read_bytes()
        agentd.call("POST", "/memory/forget", {"id": stored}, AGENT)
        assert not path.exists() and undo(since="1m", dry_run=True).json["undone"][0]["what"] == f"forgetting of memory {stored}"
        number = agentd.call("GET", "/events/log?type=agentd.memory.forget.outcome&limit=1").json["events"][0]["payload"]["undo"]
        assert undo(undo=number).json["undone"] and path.read_bytes() == bytes_
        path.write_text(path.read_text() + "\nedited by hand\n")
        number = agentd.call("GET", "/events/log?type=agentd.memory.store.outcome&limit=1").json["events"][0]["payload"]["undo"]
        assert "changed since" in undo(undo=number).json["refused"][0]["why"] and path.exists()

    yield "bytes, owner, mode and times come back", exactly
    yield "what changed since, and what another did, is refused", refused
    yield "everything since a time, newest first, and a plan before", everything
    yield "a change is named by its outcome's event", by_event
    yield "a memory is taken back and a forgotten one returns", memories
