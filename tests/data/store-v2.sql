-- A store as version 2 wrote it, with one incident.
CREATE TABLE outbreak(
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    route TEXT NOT NULL,
    cause TEXT NOT NULL,
    codes TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    reopened INTEGER NOT NULL,
    count INTEGER NOT NULL,
    callers INTEGER NOT NULL,
    observed INTEGER NOT NULL
);
CREATE INDEX outbreak_last ON outbreak(last_ms);
CREATE TABLE outbreak_caller(
    outbreak INTEGER NOT NULL,
    caller INTEGER NOT NULL,
    PRIMARY KEY(outbreak, caller)
) WITHOUT ROWID;
CREATE TABLE incident(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    time_ms INTEGER NOT NULL,
    outbreak INTEGER NOT NULL,
    slot TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    call BLOB,
    message BLOB,
    caller INTEGER,
    callee INTEGER,
    outcome TEXT NOT NULL,
    observe INTEGER NOT NULL,
    causes TEXT NOT NULL,
    codes TEXT NOT NULL,
    upstream_ms INTEGER NOT NULL,
    budget_left_ms INTEGER NOT NULL
);
CREATE INDEX incident_outbreak ON incident(outbreak);
CREATE INDEX incident_call ON incident(call) WHERE call IS NOT NULL;
CREATE INDEX incident_message ON incident(message) WHERE message IS NOT NULL;
CREATE INDEX incident_caller ON incident(caller) WHERE caller IS NOT NULL;
CREATE INDEX incident_callee ON incident(callee) WHERE callee IS NOT NULL;
CREATE TABLE record(
    seq INTEGER PRIMARY KEY,
    json BLOB NOT NULL
);
CREATE TABLE traffic(
    minute INTEGER NOT NULL,
    route TEXT NOT NULL,
    untouched INTEGER NOT NULL,
    repaired INTEGER NOT NULL,
    replaced INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    would_have INTEGER NOT NULL,
    upstream BLOB NOT NULL,
    PRIMARY KEY(minute, route)
) WITHOUT ROWID;
INSERT INTO outbreak VALUES (1, x'019ab3c4000070008000000000000001', '/voice', 'html-page', ',12100,', 1795595393614, 1795595393614, NULL, 0, 1, 1, 0);
INSERT INTO incident VALUES (1, x'019ab3c4000070008000000000000001', 1795595393614, 1, 'voice', 'POST', '/voice', x'43410123456789abcdef0123456789abcdef', NULL, 7, 99, 'replaced', 0, ',html-page,', ',12100,', 12, 12000);
PRAGMA application_id = 0x74776764;
PRAGMA user_version = 2;
