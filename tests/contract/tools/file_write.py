"""file_write: whole files at once, owner and mode kept, content in no record."""
import os, pathlib, tempfile

AGENT = {"X-Osmoda-Actor": "agent:tester"}.items()


def checks(agentd):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osm-write-"))
    write = lambda path, content, **more: agentd.call("POST", "/file/write", {"path": str(path), "content": content, **more}, AGENT)

    def replaced():
        path = folder / "a"
        made = write(path, "one").json
        assert made["created"] and path.read_text() == "one" and path.stat().st_mode & 0o7777 == 0o644, made
        os.chown(path, 1, 1)
        os.chmod(path, 0o6751)
        again = write(path, "b64:".encode().hex(), encoding="text").json
        assert not again["created"] and again["undo"], again
        stat = path.stat()
        assert (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (1, 1, 0o751), oct(stat.st_mode)
        assert write(path, "x", create_only=True).code == "file.exists"
        assert write(path, "not base64!", encoding="base64").code == "request.field"
        assert sorted(os.listdir(folder)) == ["a"], os.listdir(folder)

    def recorded():
        before = agentd.call("GET", "/ledger/head").json["size"]
        write(folder / "b", "TOP-SECRET-CONTENT")
        events = agentd.call("GET", f"/events/log?after_id={before}").json["events"]
        written = next(event for event in events if event["type"] == "agentd.file.written")
        assert written["payload"]["path"] == str(folder / "b") and written["payload"]["size_bytes"] == 18, written
        assert "TOP-SECRET" not in str(events) and any(event["payload"].get("undo") for event in events), events

    def secrets():
        path = agentd.state / "secrets" / "token"
        assert write(path, "s3cret").json["digest"] is None and path.stat().st_mode & 0o777 == 0o600
        assert agentd.call("POST", "/file/read", {"path": str(path)}, AGENT).code == "file.write_only"
        assert write(path, "other").code == "policy.denied" and path.read_text() == "s3cret"
        assert agentd.call("POST", "/file/write", {"path": str(path), "content": "new"}).status == 200, "an operator replaces a secret"
        assert write(agentd.state / "secrets/../x", "x").code in ("request.field", "policy.denied")

    yield "a file is replaced whole and keeps owner and mode but no setuid", replaced
    yield "the ledger tells digest and size, never the content", recorded
    yield "a secret is written once and never read", secrets
