"""user_list against the accounts Python sees."""
import grp, os, pwd


def checks(agentd):
    listed = lambda query="": agentd.call("GET", f"/users?limit=1000{query}").json["users"]

    def same():
        users = listed()
        assert [(row["name"], row["uid"], row["home"], row["shell"]) for row in users] == [
            (user.pw_name, user.pw_uid, user.pw_dir, user.pw_shell) for user in pwd.getpwall()
        ]
        for row in users:
            groups = {grp.getgrgid(gid).gr_name for gid in os.getgrouplist(row["name"], row["gid"])}
            assert set(row["groups"]) == groups and row["groups"][0] == grp.getgrgid(row["gid"]).gr_name, row

    def pages():
        names, after = [], ""
        while True:
            page = agentd.call("GET", f"/users?limit=3{after}").json
            assert 1 <= len(page["users"]) <= 3
            names += [row["name"] for row in page["users"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert names == [user.pw_name for user in pwd.getpwall()]
        assert all(row["system"] for row in listed("&system=true")) and not any(row["system"] for row in listed("&system=false"))
        for bad in ("limit=0", "limit=1001", "system=maybe", "colour=red"):
            assert agentd.call("GET", f"/users?{bad}").code == "request.field", bad

    yield "accounts and groups are those of the system", same
    yield "pages follow one another without a gap", pages
