"""file_delete: one regular file, kept for undo."""
import pathlib, tempfile


def checks(agentd):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osm-delete-"))
    delete = lambda path: agentd.call("POST", "/file/delete", {"path": str(path)}, {"X-Osmoda-Actor": "agent:tester"}.items())

    def gone():
        path = folder / "a"
        path.write_text("gone?")
        answer = delete(path).json
        assert not path.exists() and answer["undo"], answer
        assert delete(path).code == "file.not_found"
        assert agentd.call("POST", "/undo", {"undo": answer["undo"]}, {"X-Osmoda-Actor": "agent:tester"}.items()).json["undone"]
        assert path.read_text() == "gone?"

    def refused():
        (folder / "link").symlink_to(folder / "a")
        assert delete(folder).code == "file.kind" and delete(folder / "link").code == "file.link"
        assert delete(agentd.state / "ledger/ledger.db").code == "policy.denied"

    yield "a file goes and comes back", gone
    yield "folders, links and our own state are refused", refused
