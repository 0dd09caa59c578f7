"""directory_list: pages of a folder in byte order, whatever the names are."""
import base64, os, pathlib, tempfile


def checks(agentd):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="osm-list-"))

    def pages():
        for n in range(250):
            (folder / f"f{n:03}").write_text("x" * n)
        (folder / "new\nline").mkdir()
        (folder / "zlink").symlink_to("/etc/shadow")
        open(os.path.join(os.fsencode(folder), b"bad\xff"), "w").close()
        seen, after = [], None
        while True:
            page = agentd.call("POST", "/file/list", {"path": str(folder), "limit": 100, **({"after": after} if after else {})}).json
            seen += page["entries"]
            if not (after := page["next"]):
                break
        names = [base64.b64decode(e["name_base64"]) if "name_base64" in e else e["name"].encode() for e in seen]
        assert names == sorted(os.listdir(os.fsencode(folder))) and len(names) == 253, names[:5]
        kinds = {e["name"]: (e["type"], e["size_bytes"]) for e in seen}
        assert kinds["f007"] == ("file", 7) and kinds["new\nline"][0] == "directory" and kinds["zlink"] == ("symlink", 0), kinds["zlink"]

    def refused():
        list_ = lambda path: agentd.call("POST", "/file/list", {"path": str(path)}).code
        assert list_(folder / "f000") == "file.kind" and list_(folder / "none") == "file.not_found" and list_("/proc/self") == "policy.denied"

    yield "pages join to the whole folder", pages
    yield "what is no folder is refused", refused
