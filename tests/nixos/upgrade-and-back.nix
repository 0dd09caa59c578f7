# State outlives releases, both ways: what an older one wrote is taken over whole, what a newer one added is left alone, and
# what only a newer one may write is read and not touched. state-1.json is the state of the first release, at schema 1.
{
  imports = [ ./common.nix ];
  name = "upgrade-and-back";
  nodes.machine = { };
  testScript =
    builtins.readFile ./prelude.py
    + "STATE = json.loads(${builtins.toJSON (builtins.readFile ./state-1.json)})[\"files\"]\n"
    + ''

      machine.wait_for_unit("osmoda-agentd.service")
      databases = [name for name in STATE if name.endswith(".db")]


      def python(program: str) -> str:
          """What a program prints that works on the state while agentd is down."""
          machine.succeed("systemctl stop osmoda-agentd.service")
          begin = "import hashlib, json, pathlib, sqlite3\nroot = pathlib.Path('/var/lib/osmoda')\n"
          said = machine.succeed(f"python3 - <<'PYTHON'\n{begin}{program}\nPYTHON\nchown -R osmoda-agentd:osmoda-agentd /var/lib/osmoda/*")
          machine.succeed("systemctl start osmoda-agentd")
          return said


      def mark(statements: str) -> None:
          """Changes every database, as a migration of a newer release would."""
          python(f"for name in {databases}:\n    sqlite3.connect(root / name).executescript({statements!r})")


      def trouble() -> dict[str, str]:
          health = done(machine, "GET", "/health")
          return {check["name"]: check["code"] for check in health["checks"] if check["status"] != "ok"}


      def known() -> None:
          """All that the old state holds is there."""
          t.assertEqual([row["summary"] for row in done(machine, "POST", "/memory/recall", {"query": "printer"})["memories"]], ["the printer is on the second floor"])
          incident = done(machine, "GET", "/incidents")["incidents"][-1]
          t.assertEqual(incident["title"], "the disk is full")
          t.assertEqual([step["text"] for step in done(machine, "GET", f"/incident/{incident['id']}")["steps"]], ["a log that nobody rotated"])
          t.assertEqual(done(machine, "GET", "/ledger/head")["origin"], f"osmoda/{STATE['agentd/machine-id'][0]}/ledger")


      def writes(title: str) -> None:
          done(machine, "POST", "/notify", {"title": title})
          done(machine, "POST", "/memory/store", {"summary": title})
          done(machine, "POST", "/incident/create", {"title": title})


      with subtest("the state of the first release is taken over whole"):
          python(
              "import shutil\n"
              "for folder in root.iterdir():\n"
              "    for path in folder.iterdir():\n"
              "        shutil.rmtree(path) if path.is_dir() else path.unlink()\n"
              f"for name, lines in json.loads({json.dumps(STATE)!r}).items():\n"
              "    (root / name).parent.mkdir(parents=True, exist_ok=True)\n"
              "    text = '\\n'.join(lines) + '\\n'\n"
              "    sqlite3.connect(root / name).executescript(text) if name.endswith('.db') else (root / name).write_text(text)\n"
              "    (root / name).chmod(0o600)\n"
          )
          t.assertEqual(trouble(), {})
          known()

      with subtest("its ledger is whole, to the checkpoint that was kept elsewhere, and goes on"):
          note = json.loads(STATE["ledger/checkpoints.jsonl"][0])["checkpoint"]
          machine.succeed(f"echo -n {shlex.quote(note)} > /root/note", "agentctl verify-ledger --against /root/note")
          writes("upgraded")
          machine.succeed("agentctl verify-ledger --against /root/note")

      with subtest("what the agent did before the upgrade is undone after it"):
          undo = [name.rsplit("/", 1)[1].removesuffix(".json") for name in STATE if name.startswith("agentd/undo/")]
          plan = done(machine, "POST", "/undo", {"undo": undo[0], "dry_run": True}, user="osmoda-agent")
          t.assertEqual(len(plan["undone"]) + len(plan["refused"]), 1, plan)

      with subtest("back from a release that only added: all works, and what it added stays"):
          mark("CREATE TABLE of_a_newer_release (a TEXT) STRICT; INSERT INTO of_a_newer_release VALUES ('kept'); PRAGMA user_version = 99;")
          t.assertEqual(trouble(), {})
          known()
          writes("gone back")
          t.assertEqual(machine.get_unit_property("osmoda-agentd", "NRestarts"), "0")
          kept = python(f"for name in {databases}:\n    c = sqlite3.connect(root / name)\n    print(*c.execute('SELECT a FROM of_a_newer_release').fetchone(), *c.execute('PRAGMA user_version').fetchone())")
          t.assertEqual(kept.splitlines(), ["kept 99"] * len(databases))

      digests = f"for name in {databases}:\n    c = sqlite3.connect(root / name)\n    print(hashlib.sha256('\\n'.join(c.iterdump()).encode()).hexdigest())"

      with subtest("back from a release that this one may not write beside: it reads, says so, and touches nothing"):
          mark("UPDATE meta SET value = 99 WHERE key = 'min_reader';")
          before = python(digests)
          found = trouble()
          t.assertEqual(set(found.values()), {"state.newer_schema"}, found)
          t.assertIn("ledger", found)
          t.assertEqual(done(machine, "GET", "/events/log?after_id=0&limit=1")["events"][0]["type"], "agentd.ledger.created")
          known()
          status, answer = call(machine, "POST", "/notify", {"title": "refused"})
          t.assertEqual((status, answer["code"]), (503, "state.newer_schema"), answer)
          t.assertEqual((machine.get_unit_property("osmoda-agentd", "ActiveState"), machine.get_unit_property("osmoda-agentd", "NRestarts")), ("active", "0"))
          t.assertEqual(python(digests), before)

      with subtest("forward again: all works"):
          mark("UPDATE meta SET value = 1 WHERE key = 'min_reader';")
          t.assertEqual(trouble(), {})
          known()
          writes("forward again")
          machine.succeed("agentctl verify-ledger --against /root/note")
    '';
}
