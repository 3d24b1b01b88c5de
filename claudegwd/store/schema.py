"""The tables, as migration steps from one version to the next. ``PRAGMA user_version`` counts the applied steps.

A step is never changed once released: add another.
"""

from typing import Final

# Times are seconds since the epoch (REAL). No column holds a token: keys and clients are known by name and SHA-256.
STEPS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE keys (
        name TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        state TEXT NOT NULL,
        until REAL NOT NULL,
        repeats INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        tokens INTEGER NOT NULL,
        last_error TEXT,
        last_error_at REAL,
        last_used REAL,
        forbidden TEXT NOT NULL,  -- JSON object: model -> until
        written REAL NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE clients (
        name TEXT PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        models TEXT NOT NULL,  -- JSON list; empty: all
        requests_per_minute INTEGER,  -- NULL: as the configuration says; 0: no limit
        tokens_per_minute INTEGER,
        concurrent_requests INTEGER,
        created REAL NOT NULL,
        expires REAL,
        revoked REAL,
        last_used REAL,
        requests INTEGER NOT NULL,
        tokens INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE projects (
        id TEXT PRIMARY KEY,
        client TEXT NOT NULL,  -- whose it is; '' without authentication
        name TEXT NOT NULL,
        description TEXT,
        path TEXT,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        is_active INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX projects_by_time ON projects (client, created_at);

    CREATE TABLE sessions (
        id TEXT NOT NULL,  -- a client may choose it, and so two may choose the same
        client TEXT NOT NULL,
        project_id TEXT,
        title TEXT,
        model TEXT,
        system_prompt TEXT,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        is_active INTEGER NOT NULL,
        total_tokens INTEGER NOT NULL,
        total_cost REAL NOT NULL,
        message_count INTEGER NOT NULL,
        PRIMARY KEY (client, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_by_time ON sessions (client, created_at);
    CREATE INDEX sessions_by_use ON sessions (updated_at);
    """,
    """
    ALTER TABLE clients ADD COLUMN identity TEXT NOT NULL DEFAULT '';  -- whose projects and sessions; '': the name
    """,
    """
    CREATE TABLE usage (
        grain INTEGER NOT NULL,  -- seconds that a row stands for: 60, 3600 or 86400
        at INTEGER NOT NULL,  -- where they begin
        client TEXT NOT NULL,  -- '' without authentication
        key TEXT NOT NULL,  -- the upstream key's name
        model TEXT NOT NULL,
        answered TEXT NOT NULL,
        route TEXT NOT NULL,
        how TEXT NOT NULL,
        status INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        prompt INTEGER NOT NULL,
        completion INTEGER NOT NULL,
        cached INTEGER NOT NULL,
        written INTEGER NOT NULL,
        reasoning INTEGER NOT NULL,
        firsts INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        all_ms INTEGER NOT NULL,
        priced INTEGER NOT NULL,
        unpriced INTEGER NOT NULL,
        cost REAL NOT NULL,  -- US dollars
        PRIMARY KEY (grain, at, client, key, model, answered, route, how, status)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE clients ADD COLUMN budgets TEXT NOT NULL DEFAULT '';  -- as they are written: 20usd/month, …
    """,
    """
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        uid INTEGER,  -- NULL where the system does not tell
        pid INTEGER,
        user TEXT NOT NULL,
        what TEXT NOT NULL,
        fields TEXT NOT NULL  -- JSON object: names and states, never a token
    ) STRICT;
    """,
    """
    CREATE TABLE notices (
        event TEXT NOT NULL,
        subject TEXT NOT NULL,
        part TEXT NOT NULL,
        times TEXT NOT NULL,  -- JSON list of the last times at which it was told
        until REAL NOT NULL,  -- before then it is not told again
        written REAL NOT NULL,
        PRIMARY KEY (event, subject, part)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE clients ADD COLUMN server_tools TEXT NOT NULL DEFAULT '[]';  -- JSON array of names
    ALTER TABLE usage ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage ADD COLUMN web_fetches INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage ADD COLUMN code_executions INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE background (
        owner TEXT NOT NULL,  -- the client's identity
        ident TEXT NOT NULL,
        created INTEGER NOT NULL,
        model TEXT NOT NULL,
        UNIQUE (owner, ident)
    ) STRICT;
    """,
    """
    ALTER TABLE clients ADD COLUMN changed REAL NOT NULL DEFAULT 0;  -- by an operator, on whichever machine
    CREATE TABLE removed_clients (
        owner TEXT PRIMARY KEY,  -- the client's identity
        name TEXT NOT NULL,
        at REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
)

VERSION: Final = len(STEPS)
