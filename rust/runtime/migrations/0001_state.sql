CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('min_reader', 1);

-- Calls that carried an Idempotency-Key. status NULL: begun, never answered.
CREATE TABLE idempotency (
  principal TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  key TEXT NOT NULL,
  args_digest TEXT NOT NULL,
  run TEXT NOT NULL,
  status INTEGER,
  body TEXT,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (principal, method, path, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at_ms);

-- Events that wait for agentd, a chain of their own: head is the link after the row (docs/ledger).
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  epoch TEXT NOT NULL,
  type TEXT NOT NULL,
  actor TEXT NOT NULL,
  payload TEXT NOT NULL,
  head TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
