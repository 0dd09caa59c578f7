# A backup brings back what was lost and keeps what happened since; with the key that lies elsewhere, also on a new machine.
let
  # For this test alone: the private half stands in the script.
  recipient = "age1yal8fcgcqf8sqckk7qr3hahz576xvy6csga3s5ncn3ldx537xf8s9qh3m8";
  identity = "AGE-SECRET-KEY-1ZQD8DFA2WRJ7GEXWC8SYAWZSKRKLJHETYM89KTGAT9FV8U5K0W0SA2GK8R";
in
{
  imports = [ ./common.nix ];
  name = "backup-restores";
  defaults = {
    networking.firewall.allowedTCPPorts = [ 8000 ];
    services.osmoda.backup = {
      recipients = [ recipient ];
      identityFile = "/root/backup.key";
    };
  };
  nodes.fresh = { };
  nodes.lost = { };
  testScript = builtins.readFile ./prelude.py + ''

    start_all()
    lost.wait_for_unit("osmoda-agentd.service")


    def memories(machine: BaseMachine) -> set[str]:
        return {row["summary"] for row in done(machine, "GET", "/memory?limit=100")["memories"]}


    def steps(machine: BaseMachine, id: str) -> list[str]:
        return [step["text"] for step in done(machine, "GET", f"/incident/{id}")["steps"]]


    with subtest("a key that is not there yet stops no daemon, and backups are made without it"):
        t.assertEqual(done(lost, "GET", "/health")["status"], "ok")
        done(lost, "POST", "/memory/store", {"summary": "the printer is on the second floor"})
        done(lost, "POST", "/file/write", {"path": "/var/lib/osmoda/secrets/token", "content": "hush"})
        incident = done(lost, "POST", "/incident/create", {"title": "the disk is full"})["id"]
        done(lost, "POST", f"/incident/{incident}/step", {"kind": "hypothesis", "text": "before"})
        backup = done(lost, "POST", "/backup/create", {})
        t.assertEqual(backup["note"]["recipients"], ["${recipient}"])
        t.assertFalse(done(lost, "POST", "/backup/verify", {"id": backup["id"]})["ok"])

    with subtest("with the key it is verified, and a changed copy is not"):
        lost.succeed("umask 077; echo ${identity} > /root/backup.key; systemctl restart osmoda-agentd")
        verified = done(lost, "POST", "/backup/verify", {"id": backup["id"]})
        t.assertTrue(verified["ok"] and verified["recorded"], verified)
        other = backup["path"].replace(backup["id"], "bak_00000000000000000000000000")
        lost.succeed(f"cp -p {backup['path']} {other} && printf x | dd of={other} bs=1 seek=5000 conv=notrunc status=none")
        answer = done(lost, "POST", "/backup/verify", {"id": "bak_00000000000000000000000000"})
        t.assertFalse(answer["ok"], answer)
        t.assertNotEqual(call(lost, "POST", "/backup/restore", {"id": "bak_00000000000000000000000000"})[0], 200)

    with subtest("a restore brings back what is missing and takes away nothing that is new"):
        lost.succeed("rm -r /var/lib/osmoda/memory/* /var/lib/osmoda/secrets/token")
        lost.succeed("systemctl restart osmoda-agentd")
        done(lost, "POST", "/memory/store", {"summary": "the printer moved to the third floor"})
        done(lost, "POST", f"/incident/{incident}/step", {"kind": "result", "text": "after"})
        head = done(lost, "GET", "/ledger/head")
        done(lost, "POST", "/backup/restore", {"id": backup["id"]}, user="osmoda-test-operator")
        t.assertEqual(memories(lost), {"the printer is on the second floor", "the printer moved to the third floor"})
        t.assertEqual(steps(lost, incident), ["before", "after"])
        t.assertEqual(lost.succeed("cat /var/lib/osmoda/secrets/token; stat -c '%U %a' /var/lib/osmoda/secrets/token"), "hushosmoda-agentd 600\n")
        t.assertEqual(done(lost, "GET", f"/events/{head['size']}/proof")["event"]["hash"], head["hash"])
        lost.succeed("agentctl verify-ledger")

    with subtest("the machine is lost: a new one takes its place, as docs/backups.md says"):
        name = backup["path"].rsplit("/", 1)[1]
        lost.succeed(f"install -D -m 644 {backup['path']} /root/out/{name} && systemd-run --working-directory=/root/out $(command -v python3) -m http.server 8000")
        lost.wait_for_open_port(8000)
        fresh.wait_for_unit("osmoda-agentd.service")
        fresh.succeed("systemctl stop osmoda-agentd.socket osmoda-agentd.service && rm -r /var/lib/osmoda/agentd/* /var/lib/osmoda/ledger/*")
        fresh.succeed("umask 077; echo ${identity} > /root/backup.key")
        fresh.succeed(f"curl -sf http://lost:8000/{name} | install -m 600 -o osmoda-agentd -g osmoda-agentd /dev/stdin /var/backups/osmoda/{name}")
        lost.shutdown()
        fresh.succeed(
            "install -d -m 700 -o osmoda-agentd /var/lib/osmoda/agentd",
            f"age -d -i /root/backup.key /var/backups/osmoda/{name} | tar -xO agentd/machine-id > /var/lib/osmoda/agentd/machine-id",
            "systemctl start osmoda-agentd",
            f"agentctl backup restore --accept-unrecorded {backup['id']}",
            "systemctl restart osmoda-agentd",
        )
        fresh.wait_for_unit("osmoda-agentd.service")
        t.assertEqual(memories(fresh), {"the printer is on the second floor"})
        t.assertEqual(steps(fresh, incident), ["before"])
        fresh.succeed("agentctl verify-ledger")
        origin = done(fresh, "GET", "/ledger/head")["origin"]
        t.assertEqual(origin, head["origin"])
        t.assertEqual(done(fresh, "GET", "/events/log?type=agentd.incident.create.intent")["events"][0]["payload"]["args"]["title"], "the disk is full")
  '';
}
