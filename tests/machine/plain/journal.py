"""The journal of a real machine: filters, order, pages, and entries that are hard to read."""
import urllib.parse

from wire import dial

UNITS = {
    "talker.service": "[Service]\nType=oneshot\nSyslogIdentifier=talker\nExecStart=/bin/sh -c 'for i in $(seq 1 25); do echo line $i; done'\n",
    "alarm.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo \"<3>the roof is on fire\"; echo \"<6>all is calm\"'\n",
}


def checks(machine):
    def ask(**query):
        answer = machine.call("GET", "/journal?" + urllib.parse.urlencode(query))
        assert answer.status == 200, answer.body
        return answer.json

    said = lambda **query: [line["message"] for line in ask(**query)["lines"]]
    pipe = lambda text: machine.succeed(f"{text} | systemd-cat -t odd; journalctl --sync")

    def by_unit():
        machine.succeed("systemctl start talker alarm; journalctl --sync")
        lines = ask(unit="talker", limit=1000)["lines"]
        own = [line["message"] for line in lines if line["identifier"] == "talker"]
        assert own == [f"line {i}" for i in range(25, 0, -1)], own
        assert {line["unit"] for line in lines} == {"talker.service"} and any(line["pid"] == 1 for line in lines), "and what systemd says of it"
        assert [line["at"] for line in lines] == sorted((line["at"] for line in lines), reverse=True)
        assert said(unit="nobody-knows") == []

    def by_priority():
        assert "the roof is on fire" in said(unit="alarm") and "all is calm" in said(unit="alarm")
        assert said(unit="alarm", priority="err") == ["the roof is on fire"]
        assert ask(unit="alarm", priority="err")["lines"][0]["priority"] == "err"

    def by_time():
        machine.succeed("echo before | systemd-cat -t clock; journalctl --sync")
        at = next(line["at"] for line in ask(limit=1000)["lines"] if line["identifier"] == "clock")
        machine.succeed("echo after | systemd-cat -t clock; journalctl --sync")
        clock = lambda **query: [line["message"] for line in ask(limit=1000, **query)["lines"] if line["identifier"] == "clock"]
        assert clock() == clock(since=at) == clock(since="1h") == ["after", "before"]
        assert clock(until=at) in ([], ["before"]) and clock(until="1h") == [] and clock(since="2030-01-01T00:00:00Z") == []

    def by_pattern():
        assert said(unit="talker", match="^line 2[0-2]$") == ["line 22", "line 21", "line 20"]
        assert said(unit="talker", match="LINE 7") == [] and said(match="no such words anywhere, surely") == []
        answer = machine.call("GET", "/journal?match=%5B")
        assert (answer.code, answer.json["errors"][0]["at"]) == ("request.field", "/match"), answer
        assert said(match="--help") == [] and said(match="") != []

    def in_pages():
        whole, pages, after, since = said(unit="talker", limit=1000), [], {}, ask(unit="talker", limit=1000)["lines"][-5]["at"]
        for _ in range(100):
            page = ask(unit="talker", limit=4, **after)
            pages += [line["message"] for line in page["lines"]]
            assert len(page["lines"]) <= 4
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert pages == whole, (pages, whole)
        first = ask(unit="talker", limit=4, since=since)
        rest = ask(unit="talker", limit=1000, since=since, after=first["next"])
        assert [line["message"] for line in first["lines"] + rest["lines"]] == said(unit="talker", limit=1000, since=since)
        for bad in ("--help", "s=1 --file=/etc/shadow", "s=1;i=1"):
            answer = machine.call("GET", "/journal?" + urllib.parse.urlencode({"after": bad}))
            assert (answer.code, answer.json["errors"][0]["at"]) == ("request.field", "/after"), (bad, answer)

    def odd():
        odd_ones = lambda: [line for line in ask(limit=20)["lines"] if line["identifier"] == "odd"]
        pipe(r"printf 'a\377b\n'")
        assert odd_ones()[0]["message"] == "a\ufffdb", odd_ones()
        pipe("head -c 20000 /dev/zero | tr '\\0' x")
        long = odd_ones()[0]
        assert long["message"] == "x" * 4096 and long["truncated"], (len(long["message"]), long["truncated"])
        machine.succeed("printf 'MESSAGE=one\\nMESSAGE=two\\nSYSLOG_IDENTIFIER=odd\\n\\n' | logger --journald; journalctl --sync")
        assert odd_ones()[0]["message"] in ("one\ntwo", "two\none"), odd_ones()[0]

    def bounded():
        machine.succeed("head -c 9000000 /dev/zero | tr '\\0' y | fold -w 4000 | systemd-cat -t flood; journalctl --sync")
        page = machine.call("GET", "/journal?limit=1000")
        assert len(page.body) < 2_500_000 and page.json["next"] and 0 < len(page.json["lines"]) < 1000, len(page.body)
        for bad in ("limit=0", "limit=1001", "priority=loud", "since=soon", "since=1h&until=2h", "unit=%2Fetc", "follow=true"):
            assert machine.call("GET", f"/journal?{bad}").code == "request.field", bad

    def hangs():
        machine.inside("/usr/local/bin/hangs").write_text("#!/bin/sh\nexec sleep 31415\n")
        machine.succeed("chmod +x /usr/local/bin/hangs && mount --bind /usr/local/bin/hangs /usr/bin/journalctl")
        gone = lambda: machine.wait_until_succeeds("! pgrep -f 'sleep 3141[5]'")
        try:
            caller = dial(machine.inside("/run/osmoda/agentd.sock"))
            caller.sendall(b"GET /journal HTTP/1.1\r\nHost: l\r\n\r\n")
            machine.wait_until_succeeds("pgrep -f 'sleep 3141[5]'")
            caller.close()
            gone()
            answer = machine.call("GET", "/journal")
            assert answer.code == "request.timeout" and answer.json["next_step"], answer
            gone()
        finally:
            machine.succeed("umount /usr/bin/journalctl")
        assert machine.call("GET", "/journal").status == 200

    yield "by unit: its own lines and what systemd says of it, newest first", by_unit
    yield "by priority", by_priority
    yield "by time", by_time
    yield "by pattern", by_pattern
    yield "pages follow each other without gap or repeat", in_pages
    yield "bytes, long messages and repeated fields are read", odd
    yield "an answer is bounded and wrong arguments are named", bounded
    yield "a journalctl that hangs ends with its call", hangs
