"""file_move: another name, nothing overwritten."""
import pathlib, tempfile


def checks(agentd):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osm-move-"))
    move = lambda a, b: agentd.call("POST", "/file/move", {"from": str(folder / a), "to": str(folder / b)}, {"X-Osmoda-Actor": "agent:tester"}.items())

    def moved():
        (folder / "a").write_text("one")
        (folder / "c").write_text("two")
        assert move("a", "c").code == "file.exists" and (folder / "c").read_text() == "two"
        undo = move("a", "b").json["undo"]
        assert (folder / "b").read_text() == "one" and not (folder / "a").exists()
        agentd.call("POST", "/undo", {"undo": undo}, {"X-Osmoda-Actor": "agent:tester"}.items())
        assert (folder / "a").read_text() == "one" and not (folder / "b").exists()
        assert move("none", "d").code == "file.not_found"

    yield "a file moves, nothing is overwritten, and it moves back", moved
