"""file_search: by name and by text, bounded."""
import os, pathlib, tempfile


def checks(agentd):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osm-search-"))
    search = lambda **more: agentd.call("POST", "/file/search", {"path": str(folder), **more})

    def found():
        (folder / "web").mkdir()
        (folder / "web/nginx.conf").write_text("a\nb\nserver_name example;\n")
        (folder / "other.conf").write_text("nothing")
        os.mkfifo(folder / "pipe.conf")
        (folder / "loop").symlink_to(folder)
        files = search(name="*.conf", text="server_name").json
        assert files == {"files": [{"path": str(folder / "web/nginx.conf"), "type": "file", "size_bytes": 25, "line": 3}], "cut": None}, files
        assert len(search(name="*.conf").json["files"]) == 3
        cut = search(name="*", limit=2).json
        assert len(cut["files"]) == 2 and "more than 2" in cut["cut"], cut
        assert search().code == "request.field" and search(name="[").code == "request.field"

    yield "files are found by pattern and text, links are not followed, FIFOs are not opened", found
