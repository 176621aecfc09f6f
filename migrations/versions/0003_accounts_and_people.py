"""Accounts, sessions, residents and their families, workers and their shifts."""

from migrations.support import run_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE accounts (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    role text NOT NULL,
    name text NOT NULL,
    phone text,                -- E.164
    login text,
    password_hash text,        -- argon2id
    totp_secret text,
    totp_last_step bigint NOT NULL DEFAULT 0,   -- each one-time password works once
    failed_sign_ins smallint NOT NULL DEFAULT 0,
    locked_until timestamptz,   -- after too many wrong passwords
    provider_id uuid REFERENCES providers,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_role CHECK (role IN ('resident', 'family', 'operator', 'provider', 'worker', 'supervisor')),
    CONSTRAINT accounts_phone_once UNIQUE (phone),
    CONSTRAINT accounts_login_once UNIQUE (login),
    CONSTRAINT accounts_way_in CHECK (phone IS NOT NULL OR (login IS NOT NULL AND password_hash IS NOT NULL))
);

CREATE TABLE sign_in_codes (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    phone text NOT NULL,
    code_hash bytea NOT NULL,    -- HMAC under the server's secret
    tries smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX sign_in_codes_by_phone ON sign_in_codes (phone, created_at);

CREATE TABLE sessions (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    token_hash bytea NOT NULL CONSTRAINT sessions_token_once UNIQUE,   -- SHA-256 of the opaque token
    account_id uuid NOT NULL REFERENCES accounts,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_by_account ON sessions (account_id);

CREATE TABLE live_tickets (
    token_hash bytea PRIMARY KEY,
    session_id uuid REFERENCES sessions,   -- empty for the public board
    expires_at timestamptz NOT NULL
);

CREATE TABLE residents (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    account_id uuid CONSTRAINT residents_account_once UNIQUE REFERENCES accounts,
    name text NOT NULL,
    phone text NOT NULL CONSTRAINT residents_phone_once UNIQUE,
    gender text NOT NULL,
    born_on date,
    ability_level smallint NOT NULL DEFAULT 0,     -- 0 able .. 4 completely disabled
    ability_scheme text NOT NULL DEFAULT 'GB/T 42195-2022',
    ability_assessed_on date,
    gender_wish text NOT NULL DEFAULT 'any',
    diet text[] NOT NULL DEFAULT '{}',
    refused_workers uuid[] NOT NULL DEFAULT '{}',
    suspended boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT residents_gender CHECK (gender IN ('female', 'male')),
    CONSTRAINT residents_gender_wish CHECK (gender_wish IN ('any', 'female', 'male')),
    CONSTRAINT residents_ability CHECK (ability_level BETWEEN 0 AND 4)
);

CREATE TABLE homes (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    resident_id uuid NOT NULL REFERENCES residents,
    zone_id uuid NOT NULL REFERENCES zones,
    place_id uuid NOT NULL REFERENCES places,
    address text NOT NULL,
    district_code text NOT NULL,
    street_code text NOT NULL,
    community_code text NOT NULL,
    current boolean NOT NULL DEFAULT true
);
CREATE UNIQUE INDEX homes_one_current ON homes (resident_id) WHERE current;   -- a resident lives in one place

CREATE TABLE resident_contacts (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    resident_id uuid NOT NULL REFERENCES residents,
    name text NOT NULL,
    phone text NOT NULL,
    relation text NOT NULL,
    emergency boolean NOT NULL DEFAULT false
);

CREATE TABLE consents (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    resident_id uuid NOT NULL REFERENCES residents,
    account_id uuid NOT NULL REFERENCES accounts,
    purpose text NOT NULL,
    valid_from timestamptz NOT NULL DEFAULT now(),
    valid_to timestamptz,
    given_by text NOT NULL,
    channel text NOT NULL,
    evidence text NOT NULL,
    text_version text NOT NULL,
    CONSTRAINT consents_purpose CHECK (purpose IN ('status', 'location', 'reports', 'book', 'health', 'pay'))
);
CREATE UNIQUE INDEX consents_one_open ON consents (resident_id, account_id, purpose) WHERE valid_to IS NULL;
CREATE INDEX consents_by_account ON consents (account_id);

CREATE TABLE workers (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    account_id uuid CONSTRAINT workers_account_once UNIQUE REFERENCES accounts,
    provider_id uuid NOT NULL REFERENCES providers,
    code text NOT NULL CONSTRAINT workers_code_once UNIQUE,   -- the pseudonym shown on public pages
    name text NOT NULL,
    gender text NOT NULL,
    travel_mode text NOT NULL DEFAULT 'ebike',
    start_place_id uuid NOT NULL REFERENCES places,
    end_place_id uuid REFERENCES places,     -- empty: the day ends at the last stop
    box_capacity smallint NOT NULL DEFAULT 8,
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT workers_gender CHECK (gender IN ('female', 'male'))
);
CREATE INDEX workers_by_provider ON workers (provider_id);

CREATE TABLE worker_skills (
    worker_id uuid NOT NULL REFERENCES workers,
    skill text NOT NULL,
    expires_on date,
    PRIMARY KEY (worker_id, skill)
);

-- A shift belongs to the day it starts and to one zone.
CREATE TABLE shifts (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    worker_id uuid NOT NULL REFERENCES workers,
    zone_id uuid NOT NULL REFERENCES zones,
    plan_on date NOT NULL,
    during tstzrange NOT NULL,
    break_from timestamptz,
    break_to timestamptz,
    break_s integer NOT NULL DEFAULT 0,
    CONSTRAINT shifts_not_empty CHECK (NOT isempty(during)),
    CONSTRAINT shifts_apart EXCLUDE USING gist   -- a worker works one shift at a time
        (uuidrange(worker_id, worker_id, '[]') WITH &&, during WITH &&)
);
CREATE INDEX shifts_by_zone_day ON shifts (zone_id, plan_on);

CREATE TABLE leaves (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    worker_id uuid NOT NULL REFERENCES workers,
    during tstzrange NOT NULL,
    reason text NOT NULL
);
CREATE INDEX leaves_by_worker ON leaves (worker_id);

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE live_tickets ENABLE ROW LEVEL SECURITY;
ALTER TABLE residents ENABLE ROW LEVEL SECURITY;
ALTER TABLE homes ENABLE ROW LEVEL SECURITY;
ALTER TABLE resident_contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE consents ENABLE ROW LEVEL SECURITY;
ALTER TABLE workers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts USING (app_sees_all() OR id = app_uuid('app.account'));
CREATE POLICY system_only ON sign_in_codes USING (app_role() = 'system');
CREATE POLICY own ON sessions USING (app_role() = 'system' OR account_id = app_uuid('app.account'));
CREATE POLICY system_only ON live_tickets USING (app_role() = 'system');
CREATE POLICY scoped ON residents USING (app_sees_all() OR id = ANY (app_residents()));
CREATE POLICY scoped ON homes USING (app_sees_all() OR resident_id = ANY (app_residents()));
CREATE POLICY scoped ON resident_contacts USING (app_sees_all() OR resident_id = ANY (app_residents()));
CREATE POLICY scoped ON consents
    USING (app_sees_all() OR resident_id = ANY (app_residents()) OR account_id = app_uuid('app.account'));
CREATE POLICY scoped ON workers USING (app_sees_all() OR provider_id = app_uuid('app.provider'));

-- Who is behind a session, with everything their rows are scoped by.
CREATE VIEW signed_in WITH (security_invoker = true) AS
SELECT s.id AS session_id, s.token_hash, s.expires_at, a.id AS account_id, a.role,
       coalesce(a.provider_id, w.provider_id) AS provider_id, w.id AS worker_id, r.id AS resident_id,
       ARRAY(SELECT c.resident_id FROM consents c
             WHERE a.role = 'family' AND c.account_id = a.id AND c.purpose = 'book'
               AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())) AS booked_for,
       ARRAY(SELECT c.resident_id FROM consents c
             WHERE a.role = 'family' AND c.account_id = a.id AND c.purpose = 'status'
               AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())) AS followed
FROM sessions s
JOIN accounts a ON a.id = s.account_id AND a.active
LEFT JOIN residents r ON a.role = 'resident' AND r.account_id = a.id
LEFT JOIN workers w ON a.role = 'worker' AND w.account_id = a.id AND w.active
WHERE s.revoked_at IS NULL AND s.expires_at > now();

-- Every request asks this once, as nobody yet and without a transaction; who does not know the token learns nothing.
CREATE FUNCTION session_by_token(token bytea) RETURNS SETOF signed_in LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp AS $$ SELECT * FROM signed_in WHERE token_hash = token $$;
"""


def upgrade() -> None:
    """Create what the first line says."""
    run_sql(SQL)
