import json
import shlex
from typing import Any


def call(
    machine: BaseMachine,
    method: str,
    path: str,
    body: Any = None,
    user: str = "root",
    headers: str = "",
) -> tuple[int, Any]:
    """Status and answer of a call to agentd, made with curl as `user`."""
    words = ["setpriv", f"--reuid={user}", f"--regid=$(id -g {user})", "--init-groups", "curl", "-s", "-X", method]
    if body is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(body))]
    words += ["-w", "'\\n%{http_code}'", "--unix-socket", "/run/osmoda/agentd.sock", headers, shlex.quote(f"http://l{path}")]
    answer, status = machine.succeed(" ".join(words)).rsplit("\n", 1)
    return int(status), json.loads(answer)


def done(machine: BaseMachine, method: str, path: str, body: Any = None, user: str = "root", headers: str = "") -> Any:
    """The answer of a call that must go well."""
    status, answer = call(machine, method, path, body, user, headers)
    assert status == 200, f"{method} {path}: {status} {answer}"
    return answer


def start_load(machine: BaseMachine, program: str, workers: int = 3, folder: str = "") -> None:
    """Calls to agentd without a pause (load.py), until `end_load`."""
    machine.succeed(f"mkdir -p /run/load && rm -f /run/load-stop /run/load/* && echo {shlex.quote(program)} > /run/load.py")
    for worker in range(workers):
        machine.succeed(
            f"systemd-run --quiet --unit=load-{worker} --property=StandardOutput=file:/run/load/{worker}"
            f" $(command -v python3) /run/load.py {folder}"
        )


def end_load(machine: BaseMachine, workers: int = 3) -> tuple[list[str], list[str]]:
    """What was acknowledged, and what failed."""
    machine.succeed("touch /run/load-stop")
    for worker in range(workers):
        machine.wait_until_fails(f"systemctl is-active load-{worker}")
    said = [json.loads(line) for line in machine.succeed("cat /run/load/*").splitlines()]
    assert len(said) == workers, said
    return [title for one in said for title in one["acknowledged"]], [why for one in said for why in one["failed"]]
STATE = json.loads("{\n \"about\": \"All of /var/lib/osmoda as the first release leaves it, with every database at schema 1 as SQL. Never changed: a later release must read it.\",\n \"files\": {\n  \"agentd/incidents.db\": [\n   \"BEGIN TRANSACTION;\",\n   \"CREATE TABLE facts (\",\n   \"    id INTEGER PRIMARY KEY,\",\n   \"    type TEXT NOT NULL,\",\n   \"    actor TEXT NOT NULL,\",\n   \"    payload TEXT NOT NULL\",\n   \") STRICT;\",\n   \"INSERT INTO \\\"facts\\\" VALUES(1,'agentd.incident.opened','agent:main','{\\\"events\\\":[],\\\"incident\\\":\\\"inc_01m8784n61y290zngm73mzrpbx\\\",\\\"severity\\\":\\\"warning\\\",\\\"title\\\":\\\"the disk is full\\\",\\\"v\\\":1}');\",\n   \"INSERT INTO \\\"facts\\\" VALUES(2,'agentd.incident.extended','agent:main','{\\\"events\\\":[],\\\"incident\\\":\\\"inc_01m8784n61y290zngm73mzrpbx\\\",\\\"kind\\\":\\\"hypothesis\\\",\\\"number\\\":1,\\\"text\\\":\\\"a log that nobody rotated\\\",\\\"v\\\":1}');\",\n   \"CREATE TABLE incidents (\",\n   \"    id TEXT PRIMARY KEY,\",\n   \"    title TEXT NOT NULL,\",\n   \"    description TEXT NOT NULL,\",\n   \"    severity TEXT NOT NULL,\",\n   \"    events TEXT NOT NULL,\",\n   \"    created_at TEXT NOT NULL,\",\n   \"    created_by TEXT NOT NULL,\",\n   \"    updated_at TEXT NOT NULL,\",\n   \"    cause TEXT,\",\n   \"    closed_at TEXT,\",\n   \"    closed_by TEXT\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"INSERT INTO \\\"incidents\\\" VALUES('inc_01m8784n61y290zngm73mzrpbx','the disk is full','','warning','[]','2026-11-24T17:02:32.129Z','agent:main','2026-11-24T17:02:32.147Z',NULL,NULL,NULL);\",\n   \"CREATE TABLE meta (\",\n   \"    key TEXT PRIMARY KEY,\",\n   \"    value INTEGER NOT NULL\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"INSERT INTO \\\"meta\\\" VALUES('min_reader',1);\",\n   \"INSERT INTO \\\"meta\\\" VALUES('settled_to',1);\",\n   \"CREATE TABLE steps (\",\n   \"    incident TEXT NOT NULL REFERENCES incidents (id),\",\n   \"    number INTEGER NOT NULL,\",\n   \"    kind TEXT NOT NULL,\",\n   \"    text TEXT NOT NULL,\",\n   \"    events TEXT NOT NULL,\",\n   \"    at TEXT NOT NULL,\",\n   \"    by TEXT NOT NULL,\",\n   \"    PRIMARY KEY (incident, number)\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"INSERT INTO \\\"steps\\\" VALUES('inc_01m8784n61y290zngm73mzrpbx',1,'hypothesis','a log that nobody rotated','[]','2026-11-24T17:02:32.147Z','agent:main');\",\n   \"CREATE INDEX incidents_open ON incidents (id) WHERE closed_at IS NULL;\",\n   \"COMMIT;\",\n   \"PRAGMA user_version = 1;\"\n  ],\n  \"agentd/machine-id\": [\n   \"mach_01m8784n0p5ghncn5sxc0nygyr\"\n  ],\n  \"agentd/memory.db\": [\n   \"BEGIN TRANSACTION;\",\n   \"CREATE TABLE entries (\",\n   \"    place INTEGER PRIMARY KEY,\",\n   \"    id TEXT NOT NULL UNIQUE,\",\n   \"    path TEXT NOT NULL UNIQUE,\",\n   \"    mtime_ns INTEGER NOT NULL,\",\n   \"    size_bytes INTEGER NOT NULL,\",\n   \"    created_at_ms INTEGER NOT NULL,\",\n   \"    category TEXT NOT NULL,\",\n   \"    tags TEXT NOT NULL,\",\n   \"    summary TEXT NOT NULL,\",\n   \"    detail TEXT NOT NULL,\",\n   \"    trusted INTEGER NOT NULL,\",\n   \"    event INTEGER NOT NULL,\",\n   \"    sameness BLOB NOT NULL,\",\n   \"    topic INTEGER\",\n   \") STRICT;\",\n   \"INSERT INTO \\\"entries\\\" VALUES(117672493187072,'mem_01m8784n5dx8p9z688awggsjd1','2026/11/mem_01m8784n5dx8p9z688awggsjd1.md',1795539752108259178,199,1795539752109,'general','office','the printer is on the second floor','',1,0,X'2474F77F53ABE0C201ECD0969378F5A3',7736247084817786904);\",\n   \"CREATE TABLE malformed (\",\n   \"    path TEXT PRIMARY KEY,\",\n   \"    mtime_ns INTEGER NOT NULL,\",\n   \"    size_bytes INTEGER NOT NULL,\",\n   \"    reason TEXT NOT NULL\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"CREATE TABLE meta (\",\n   \"    key TEXT PRIMARY KEY,\",\n   \"    value INTEGER NOT NULL\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"INSERT INTO \\\"meta\\\" VALUES('entries',1);\",\n   \"INSERT INTO \\\"meta\\\" VALUES('min_reader',1);\",\n   \"CREATE TABLE origins (\",\n   \"    name TEXT NOT NULL,\",\n   \"    place INTEGER NOT NULL REFERENCES entries (place) ON DELETE CASCADE,\",\n   \"    PRIMARY KEY (name, place)\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"INSERT INTO \\\"origins\\\" VALUES('agent:main',117672493187072);\",\n   \"CREATE TABLE supersedes (\",\n   \"    old_id TEXT NOT NULL,\",\n   \"    place INTEGER NOT NULL REFERENCES entries (place) ON DELETE CASCADE,\",\n   \"    PRIMARY KEY (old_id, place)\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"CREATE VIRTUAL TABLE words USING fts5(\",\n   \"    summary, detail, tags, category, content = 'entries', content_rowid = 'place', tokenize = 'porter unicode61'\",\n   \");\",\n   \"INSERT INTO words (words, rank) VALUES ('secure-delete', 1);\",\n   \"INSERT INTO words (words) VALUES ('rebuild');\",\n   \"CREATE INDEX entries_category ON entries (category);\",\n   \"CREATE INDEX entries_sameness ON entries (sameness);\",\n   \"CREATE INDEX entries_topic ON entries (topic) WHERE topic IS NOT NULL;\",\n   \"CREATE INDEX origins_place ON origins (place);\",\n   \"CREATE INDEX supersedes_place ON supersedes (place);\",\n   \"CREATE TRIGGER entries_added AFTER INSERT ON entries\",\n   \"BEGIN\",\n   \"    INSERT INTO words (rowid, summary, detail, tags, category)\",\n   \"    VALUES (new.place, new.summary, new.detail, new.tags, new.category);\",\n   \"    UPDATE meta SET value = value + 1 WHERE key = 'entries';\",\n   \"END;\",\n   \"CREATE TRIGGER entries_gone AFTER DELETE ON entries\",\n   \"BEGIN\",\n   \"    INSERT INTO words (words, rowid, summary, detail, tags, category)\",\n   \"    VALUES ('delete', old.place, old.summary, old.detail, old.tags, old.category);\",\n   \"    UPDATE meta SET value = value - 1 WHERE key = 'entries';\",\n   \"END;\",\n   \"COMMIT;\",\n   \"PRAGMA user_version = 1;\"\n  ],\n  \"agentd/state.db\": [\n   \"BEGIN TRANSACTION;\",\n   \"CREATE TABLE idempotency (\",\n   \"  principal TEXT NOT NULL,\",\n   \"  method TEXT NOT NULL,\",\n   \"  path TEXT NOT NULL,\",\n   \"  key TEXT NOT NULL,\",\n   \"  args_digest TEXT NOT NULL,\",\n   \"  run TEXT NOT NULL,\",\n   \"  status INTEGER,\",\n   \"  body TEXT,\",\n   \"  at_ms INTEGER NOT NULL,\",\n   \"  PRIMARY KEY (principal, method, path, key)\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;\",\n   \"INSERT INTO \\\"meta\\\" VALUES('min_reader',1);\",\n   \"CREATE TABLE outbox (\",\n   \"  seq INTEGER PRIMARY KEY,\",\n   \"  epoch TEXT NOT NULL,\",\n   \"  type TEXT NOT NULL,\",\n   \"  actor TEXT NOT NULL,\",\n   \"  payload TEXT NOT NULL,\",\n   \"  head TEXT NOT NULL,\",\n   \"  at_ms INTEGER NOT NULL\",\n   \") STRICT;\",\n   \"CREATE INDEX idempotency_at ON idempotency (at_ms);\",\n   \"COMMIT;\",\n   \"PRAGMA user_version = 1;\"\n  ],\n  \"agentd/undo/undo_01m8784n5fpjyhkpy91hgv1zh3.json\": [\n   \"{\\\"v\\\":1,\\\"undo\\\":\\\"undo_01m8784n5fpjyhkpy91hgv1zh3\\\",\\\"request_id\\\":\\\"req_01m8784n5dpjyhkpy91hgv1zh2\\\",\\\"actor\\\":\\\"agent:main\\\",\\\"at\\\":\\\"2026-11-24T17:02:32.111Z\\\",\\\"change\\\":{\\\"remembered\\\":{\\\"memory\\\":\\\"mem_01m8784n5dx8p9z688awggsjd1\\\",\\\"digest\\\":\\\"sha256:fd27f353a5be7c884eefa05707f136774c256e25d2a6bb5046be49fdb29efb5f\\\"}}}\"\n  ],\n  \"ledger/checkpoints.jsonl\": [\n   \"{\\\"checkpoint\\\":\\\"osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger\\\\n13\\\\nxjf0sjnUWhDecnlUKdT5lRw9KTrJhzN4Ki0Y8tmGymw=\\\\n\\\\n— osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger 9FOGtOn0G6kcmarz8D9zNLCdaEaVxR8YC8uQWuqh3bbBBuSFtSx4SLfte28z3sao2YGTf4iOfGs4js4PaE7r4A4c7Q0=\\\\n\\\"}\",\n   \"{\\\"checkpoint\\\":\\\"osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger\\\\n16\\\\nnh5YvaEioGf85RBlT2Ixuf7gNUjYi2SIsgADFblmRSo=\\\\n\\\\n— osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger 9FOGtJgS+lQuDi+Irhi0hhaR8/u5Yg0E0p2nq0svlwMIWx4xYf1RRQXGwBOxgwijS8V+JuybtjAqPJ46onM1oCcnwgo=\\\\n\\\"}\"\n  ],\n  \"ledger/ledger.db\": [\n   \"BEGIN TRANSACTION;\",\n   \"CREATE TABLE checkpoints (\",\n   \"    size INTEGER PRIMARY KEY,\",\n   \"    note TEXT NOT NULL\",\n   \") STRICT;\",\n   \"INSERT INTO \\\"checkpoints\\\" VALUES(13,'osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger\",\n   \"13\",\n   \"xjf0sjnUWhDecnlUKdT5lRw9KTrJhzN4Ki0Y8tmGymw=\",\n   \"\",\n   \"— osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger 9FOGtOn0G6kcmarz8D9zNLCdaEaVxR8YC8uQWuqh3bbBBuSFtSx4SLfte28z3sao2YGTf4iOfGs4js4PaE7r4A4c7Q0=\",\n   \"');\",\n   \"INSERT INTO \\\"checkpoints\\\" VALUES(16,'osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger\",\n   \"16\",\n   \"nh5YvaEioGf85RBlT2Ixuf7gNUjYi2SIsgADFblmRSo=\",\n   \"\",\n   \"— osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger 9FOGtJgS+lQuDi+Irhi0hhaR8/u5Yg0E0p2nq0svlwMIWx4xYf1RRQXGwBOxgwijS8V+JuybtjAqPJ46onM1oCcnwgo=\",\n   \"');\",\n   \"CREATE TABLE events ( id INTEGER PRIMARY KEY AUTOINCREMENT, ts TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')), type TEXT NOT NULL, actor TEXT NOT NULL, payload TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL );\",\n   \"INSERT INTO \\\"events\\\" VALUES(1,'2026-11-24T17:02:31.960Z','agentd.ledger.created','daemon:agentd','{\\\"machine_id\\\":\\\"mach_01m8784n0p5ghncn5sxc0nygyr\\\",\\\"origin\\\":\\\"osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger\\\",\\\"signer\\\":\\\"osmoda/mach_01m8784n0p5ghncn5sxc0nygyr/ledger+f45386b4+AQDgF7aa1VE7gUAsHiC85m6q5kaXLSsWS+leBVDP8doS\\\",\\\"v\\\":1}','0000000000000000000000000000000000000000000000000000000000000000','6e687416160acd52660511c0e1ec41e3e2a1783166c538f39dd44119e0a55bec');\",\n   \"INSERT INTO \\\"events\\\" VALUES(2,'2026-11-24T17:02:32.109Z','agentd.memory.store.intent','agent:main','{\\\"args\\\":{\\\"summary\\\":\\\"the printer is on the second floor\\\",\\\"tags\\\":[\\\"office\\\"]},\\\"args_digest\\\":\\\"sha256:2c3de07da902ee6b5a558e3f3447d18aff237fc44bbcf2aff3fa9501ecb79719\\\",\\\"at\\\":\\\"2026-11-24T17:02:32.109Z\\\",\\\"decision\\\":{\\\"policy\\\":\\\"sha256:2348f998744212575d85959674f9607ab26f67708a917157472832386337c904\\\",\\\"rule\\\":\\\"preset.open\\\",\\\"verdict\\\":\\\"allow\\\"},\\\"effect\\\":\\\"change\\\",\\\"method\\\":\\\"POST\\\",\\\"on_behalf\\\":null,\\\"path\\\":\\\"/memory/store\\\",\\\"request_id\\\":\\\"req_01m8784n5dpjyhkpy91hgv1zh2\\\",\\\"session\\\":null,\\\"tool\\\":null,\\\"uid\\\":901,\\\"v\\\":1}','6e687416160acd52660511c0e1ec41e3e2a1783166c538f39dd44119e0a55bec','7f31a323010d976499be5acb1ca50880dbe75e4cd081ed03f6ce296d4a8d4be7');\",\n   \"INSERT INTO \\\"events\\\" VALUES(3,'2026-11-24T17:02:32.111Z','agentd.memory.stored','agent:main','{\\\"id\\\":\\\"mem_01m8784n5dx8p9z688awggsjd1\\\",\\\"merged\\\":false,\\\"trusted\\\":true,\\\"v\\\":1}','7f31a323010d976499be5acb1ca50880dbe75e4cd081ed03f6ce296d4a8d4be7','94bc30744986bc805fe14ec668ed5b52078e9502efffe0acb7786934279fb543');\",\n   \"INSERT INTO \\\"events\\\" VALUES(4,'2026-11-24T17:02:32.111Z','agentd.memory.store.outcome','agent:main','{\\\"at\\\":\\\"2026-11-24T17:02:32.111Z\\\",\\\"code\\\":null,\\\"duration_ms\\\":1,\\\"request_id\\\":\\\"req_01m8784n5dpjyhkpy91hgv1zh2\\\",\\\"result\\\":\\\"ok\\\",\\\"result_digest\\\":\\\"sha256:7a0277845e62c142eeaa6d7a5add69556b6ae1d217f9ab52946ee71cadbbc825\\\",\\\"status\\\":200,\\\"undo\\\":\\\"undo_01m8784n5fpjyhkpy91hgv1zh3\\\",\\\"v\\\":1}','94bc30744986bc805fe14ec668ed5b52078e9502efffe0acb7786934279fb543','dc299bc6a41d94412d60c08c5cbba68f66f406ebf4df91249c239f957d3faddc');\",\n   \"INSERT INTO \\\"events\\\" VALUES(5,'2026-11-24T17:02:32.129Z','agentd.incident.create.intent','agent:main','{\\\"args\\\":{\\\"title\\\":\\\"the disk is full\\\"},\\\"args_digest\\\":\\\"sha256:a14bc56d14bd60dce3fa290a22d8d76be2c7c8b5178ef6fe454e556d8d07cf16\\\",\\\"at\\\":\\\"2026-11-24T17:02:32.129Z\\\",\\\"decision\\\":{\\\"policy\\\":\\\"sha256:2348f998744212575d85959674f9607ab26f67708a917157472832386337c904\\\",\\\"rule\\\":\\\"preset.open\\\",\\\"verdict\\\":\\\"allow\\\"},\\\"effect\\\":\\\"change\\\",\\\"method\\\":\\\"POST\\\",\\\"on_behalf\\\":null,\\\"path\\\":\\\"/incident/create\\\",\\\"request_id\\\":\\\"req_01m8784n60pjyhkpy91hgv1zh4\\\",\\\"session\\\":null,\\\"tool\\\":null,\\\"uid\\\":901,\\\"v\\\":1}','dc299bc6a41d94412d60c08c5cbba68f66f406ebf4df91249c239f957d3faddc','998608f828b82670223e179565fdba327bfb3b7b883c99cba9dcae39c3d2f083');\",\n   \"INSERT INTO \\\"events\\\" VALUES(6,'2026-11-24T17:02:32.129Z','agentd.incident.opened','agent:main','{\\\"events\\\":[],\\\"incident\\\":\\\"inc_01m8784n61y290zngm73mzrpbx\\\",\\\"severity\\\":\\\"warning\\\",\\\"title\\\":\\\"the disk is full\\\",\\\"v\\\":1}','998608f828b82670223e179565fdba327bfb3b7b883c99cba9dcae39c3d2f083','277d96a6d4af3331541d16355f2cf5c8edbc057c3a7e5141f660fb68192264f8');\",\n   \"INSERT INTO \\\"events\\\" VALUES(7,'2026-11-24T17:02:32.129Z','agentd.incident.create.outcome','agent:main','{\\\"at\\\":\\\"2026-11-24T17:02:32.129Z\\\",\\\"code\\\":null,\\\"duration_ms\\\":0,\\\"request_id\\\":\\\"req_01m8784n60pjyhkpy91hgv1zh4\\\",\\\"result\\\":\\\"ok\\\",\\\"result_digest\\\":\\\"sha256:96c7c5fab6b5133b71917b3280b004eb2c90fa820777ec1a98a0c7279d0a4f18\\\",\\\"status\\\":200,\\\"v\\\":1}','277d96a6d4af3331541d16355f2cf5c8edbc057c3a7e5141f660fb68192264f8','b54d1b27f8970092e33964c2301c15c3f8dfe87170ebaf1e7a79d01c3a5acf53');\",\n   \"INSERT INTO \\\"events\\\" VALUES(8,'2026-11-24T17:02:32.147Z','agentd.incident.step.intent','agent:main','{\\\"args\\\":{\\\"id\\\":\\\"inc_01m8784n61y290zngm73mzrpbx\\\",\\\"kind\\\":\\\"hypothesis\\\",\\\"text\\\":\\\"a log that nobody rotated\\\"},\\\"args_digest\\\":\\\"sha256:35c477b8ba8c416c98ff240e1dfa3142b9ca9932f1ad41b28859a9ad97633c22\\\",\\\"at\\\":\\\"2026-11-24T17:02:32.147Z\\\",\\\"decision\\\":{\\\"policy\\\":\\\"sha256:2348f998744212575d85959674f9607ab26f67708a917157472832386337c904\\\",\\\"rule\\\":\\\"preset.open\\\",\\\"verdict\\\":\\\"allow\\\"},\\\"effect\\\":\\\"change\\\",\\\"method\\\":\\\"POST\\\",\\\"on_behalf\\\":null,\\\"path\\\":\\\"/incident/inc_01m8784n61y290zngm73mzrpbx/step\\\",\\\"request_id\\\":\\\"req_01m8784n6kpjyhkpy91hgv1zh5\\\",\\\"session\\\":null,\\\"tool\\\":null,\\\"uid\\\":901,\\\"v\\\":1}','b54d1b27f8970092e33964c2301c15c3f8dfe87170ebaf1e7a79d01c3a5acf53','ce675192b71785c4a928267bc23f2db8765bd8178f384e5efb64355a33e4a453');\",\n   \"INSERT INTO \\\"events\\\" VALUES(9,'2026-11-24T17:02:32.148Z','agentd.incident.extended','agent:main','{\\\"events\\\":[],\\\"incident\\\":\\\"inc_01m8784n61y290zngm73mzrpbx\\\",\\\"kind\\\":\\\"hypothesis\\\",\\\"number\\\":1,\\\"text\\\":\\\"a log that nobody rotated\\\",\\\"v\\\":1}','ce675192b71785c4a928267bc23f2db8765bd8178f384e5efb64355a33e4a453','7ecb01549cd92c63fa88153ddf285ac6d6f3de428fd3559450a8af57690dd802');\",\n   \"INSERT INTO \\\"events\\\" VALUES(10,'2026-11-24T17:02:32.148Z','agentd.incident.step.outcome','agent:main','{\\\"at\\\":\\\"2026-11-24T17:02:32.148Z\\\",\\\"code\\\":null,\\\"duration_ms\\\":0,\\\"request_id\\\":\\\"req_01m8784n6kpjyhkpy91hgv1zh5\\\",\\\"result\\\":\\\"ok\\\",\\\"result_digest\\\":\\\"sha256:ceff8aa813f9dc2df2436c1ad087ed6f12382e721aa55e45c809d75aabfea89d\\\",\\\"status\\\":200,\\\"v\\\":1}','7ecb01549cd92c63fa88153ddf285ac6d6f3de428fd3559450a8af57690dd802','6a2df1f2d41e790654fd93bf9083f1b16c9a74f9bbac0011dc3a7964826dafa6');\",\n   \"INSERT INTO \\\"events\\\" VALUES(11,'2026-11-24T17:02:32.166Z','agentd.notify.intent','agent:main','{\\\"args\\\":{\\\"title\\\":\\\"for the record\\\"},\\\"args_digest\\\":\\\"sha256:4cf99071b4968326b2de93bad17070182b4704d251cf790db2bc14931b634f04\\\",\\\"at\\\":\\\"2026-11-24T17:02:32.166Z\\\",\\\"decision\\\":{\\\"policy\\\":\\\"sha256:2348f998744212575d85959674f9607ab26f67708a917157472832386337c904\\\",\\\"rule\\\":\\\"preset.open\\\",\\\"verdict\\\":\\\"allow\\\"},\\\"effect\\\":\\\"change\\\",\\\"method\\\":\\\"POST\\\",\\\"on_behalf\\\":null,\\\"path\\\":\\\"/notify\\\",\\\"request_id\\\":\\\"req_01m8784n76pjyhkpy91hgv1zh6\\\",\\\"session\\\":null,\\\"tool\\\":null,\\\"uid\\\":901,\\\"v\\\":1}','6a2df1f2d41e790654fd93bf9083f1b16c9a74f9bbac0011dc3a7964826dafa6','032b764b96be3c4f0bf795144ebcb9079f7c2caeebee9b8633820b2732154d9b');\",\n   \"INSERT INTO \\\"events\\\" VALUES(12,'2026-11-24T17:02:32.166Z','agentd.alert.raised','agent:main','{\\\"detail\\\":\\\"\\\",\\\"links\\\":[],\\\"severity\\\":\\\"info\\\",\\\"source\\\":\\\"agent:main\\\",\\\"title\\\":\\\"for the record\\\",\\\"v\\\":1}','032b764b96be3c4f0bf795144ebcb9079f7c2caeebee9b8633820b2732154d9b','32570f0a3fc6f6a4280b8582883854bb96819071e76d7ac176edee328c4a8faa');\",\n   \"INSERT INTO \\\"events\\\" VALUES(13,'2026-11-24T17:02:32.166Z','agentd.notify.outcome','agent:main','{\\\"at\\\":\\\"2026-11-24T17:02:32.166Z\\\",\\\"code\\\":null,\\\"duration_ms\\\":0,\\\"request_id\\\":\\\"req_01m8784n76pjyhkpy91hgv1zh6\\\",\\\"result\\\":\\\"ok\\\",\\\"result_digest\\\":\\\"sha256:a6e600ceee60f3e861e23be6252ee40172cd4a6323cd5a4413341337fd9c42b0\\\",\\\"status\\\":200,\\\"v\\\":1}','32570f0a3fc6f6a4280b8582883854bb96819071e76d7ac176edee328c4a8faa','a20a400ca5c8f2514f1d7475f581bf8a2d370b2355a9ad3b9fcf485f3a980bb6');\",\n   \"INSERT INTO \\\"events\\\" VALUES(14,'2026-11-24T17:02:32.191Z','agentd.notify.intent','agent:main','{\\\"args\\\":{\\\"title\\\":\\\"after the checkpoint\\\"},\\\"args_digest\\\":\\\"sha256:0b9d89926a3e1d7f4fa1af5a34286f94ce92d14320bc13d75ce1fa33b3e9b3d0\\\",\\\"at\\\":\\\"2026-11-24T17:02:32.191Z\\\",\\\"decision\\\":{\\\"policy\\\":\\\"sha256:2348f998744212575d85959674f9607ab26f67708a917157472832386337c904\\\",\\\"rule\\\":\\\"preset.open\\\",\\\"verdict\\\":\\\"allow\\\"},\\\"effect\\\":\\\"change\\\",\\\"method\\\":\\\"POST\\\",\\\"on_behalf\\\":null,\\\"path\\\":\\\"/notify\\\",\\\"request_id\\\":\\\"req_01m8784n7zpjyhkpy91hgv1zh8\\\",\\\"session\\\":null,\\\"tool\\\":null,\\\"uid\\\":901,\\\"v\\\":1}','a20a400ca5c8f2514f1d7475f581bf8a2d370b2355a9ad3b9fcf485f3a980bb6','758c31ded2d831280e0fcda6dd086536fd81228de199857c13bf62404ee38ebb');\",\n   \"INSERT INTO \\\"events\\\" VALUES(15,'2026-11-24T17:02:32.191Z','agentd.alert.raised','agent:main','{\\\"detail\\\":\\\"\\\",\\\"links\\\":[],\\\"severity\\\":\\\"info\\\",\\\"source\\\":\\\"agent:main\\\",\\\"title\\\":\\\"after the checkpoint\\\",\\\"v\\\":1}','758c31ded2d831280e0fcda6dd086536fd81228de199857c13bf62404ee38ebb','c0347609d20b8ac88081abe3f9ef3353c3c3bfdab5cdbf2659584654a45ea01e');\",\n   \"INSERT INTO \\\"events\\\" VALUES(16,'2026-11-24T17:02:32.191Z','agentd.notify.outcome','agent:main','{\\\"at\\\":\\\"2026-11-24T17:02:32.191Z\\\",\\\"code\\\":null,\\\"duration_ms\\\":0,\\\"request_id\\\":\\\"req_01m8784n7zpjyhkpy91hgv1zh8\\\",\\\"result\\\":\\\"ok\\\",\\\"result_digest\\\":\\\"sha256:a6e600ceee60f3e861e23be6252ee40172cd4a6323cd5a4413341337fd9c42b0\\\",\\\"status\\\":200,\\\"v\\\":1}','c0347609d20b8ac88081abe3f9ef3353c3c3bfdab5cdbf2659584654a45ea01e','f19091d6cf8409112878c9a708236aada4dcf327224cc7ab184d9c634a4cc439');\",\n   \"CREATE TABLE meta (\",\n   \"    key TEXT PRIMARY KEY,\",\n   \"    value INTEGER NOT NULL\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"INSERT INTO \\\"meta\\\" VALUES('min_reader',1);\",\n   \"CREATE TABLE sources (\",\n   \"    source TEXT PRIMARY KEY,\",\n   \"    epoch TEXT NOT NULL,\",\n   \"    last_seq INTEGER NOT NULL,\",\n   \"    head TEXT NOT NULL\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"CREATE TABLE tiles (\",\n   \"    level INTEGER NOT NULL,\",\n   \"    idx INTEGER NOT NULL,\",\n   \"    hash BLOB NOT NULL CHECK (length(hash) = 32),\",\n   \"    PRIMARY KEY (level, idx)\",\n   \") STRICT, WITHOUT ROWID;\",\n   \"CREATE INDEX events_type ON events (type);\",\n   \"CREATE INDEX events_actor ON events (actor, type);\",\n   \"CREATE TRIGGER events_never_change BEFORE UPDATE ON events\",\n   \"BEGIN\",\n   \"    SELECT RAISE(ABORT, 'the ledger is append-only');\",\n   \"END;\",\n   \"CREATE TRIGGER events_never_go BEFORE DELETE ON events\",\n   \"BEGIN\",\n   \"    SELECT RAISE(ABORT, 'the ledger is append-only');\",\n   \"END;\",\n   \"DELETE FROM \\\"sqlite_sequence\\\";\",\n   \"INSERT INTO \\\"sqlite_sequence\\\" VALUES('events',16);\",\n   \"COMMIT;\",\n   \"PRAGMA user_version = 1;\"\n  ],\n  \"ledger/signer.key\": [\n   \"DHmZgi7bEMr8r55rbrkakNtR/Ks99RyS5W+Bpx+RU7Y=\"\n  ],\n  \"memory/2026/11/mem_01m8784n5dx8p9z688awggsjd1.md\": [\n   \"---\",\n   \"id: mem_01m8784n5dx8p9z688awggsjd1\",\n   \"created_at: 2026-11-24T17:02:32.109Z\",\n   \"category: general\",\n   \"tags: [office]\",\n   \"trusted: true\",\n   \"origins: [{\\\"actor\\\":\\\"agent:main\\\"}]\",\n   \"---\",\n   \"\",\n   \"# the printer is on the second floor\"\n  ]\n }\n}\n")["files"]

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
