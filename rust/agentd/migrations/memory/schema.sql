CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    path TEXT NOT NULL UNIQUE,
    mtime_ns INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    category TEXT NOT NULL,
    tags TEXT NOT NULL,
    summary TEXT NOT NULL,
    detail TEXT NOT NULL,
    trusted INTEGER NOT NULL,
    event INTEGER NOT NULL,
    sameness BLOB NOT NULL,
    topic INTEGER
) STRICT;
CREATE INDEX entries_category ON entries (category);
CREATE INDEX entries_sameness ON entries (sameness);
CREATE INDEX entries_topic ON entries (topic) WHERE topic IS NOT NULL;
CREATE TABLE origins (
    name TEXT NOT NULL,
    place INTEGER NOT NULL REFERENCES entries (place) ON DELETE CASCADE,
    PRIMARY KEY (name, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX origins_place ON origins (place);
CREATE TABLE supersedes (
    old_id TEXT NOT NULL,
    place INTEGER NOT NULL REFERENCES entries (place) ON DELETE CASCADE,
    PRIMARY KEY (old_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX supersedes_place ON supersedes (place);
CREATE TABLE malformed (
    path TEXT PRIMARY KEY,
    mtime_ns INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    summary, detail, tags, category, content = 'entries', content_rowid = 'place', tokenize = 'porter unicode61'
);
CREATE TABLE 'words_data'(id INTEGER PRIMARY KEY, block BLOB);
CREATE TABLE 'words_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
CREATE TABLE 'words_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
CREATE TABLE 'words_config'(k PRIMARY KEY, v) WITHOUT ROWID;
CREATE TRIGGER entries_added AFTER INSERT ON entries
BEGIN
    INSERT INTO words (rowid, summary, detail, tags, category)
    VALUES (new.place, new.summary, new.detail, new.tags, new.category);
    UPDATE meta SET value = value + 1 WHERE key = 'entries';
END;
CREATE TRIGGER entries_gone AFTER DELETE ON entries
BEGIN
    INSERT INTO words (words, rowid, summary, detail, tags, category)
    VALUES ('delete', old.place, old.summary, old.detail, old.tags, old.category);
    UPDATE meta SET value = value - 1 WHERE key = 'entries';
END;
