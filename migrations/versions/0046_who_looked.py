"""Who looked: a resident reads when somebody they have let in saw how their visits go."""

from migrations.support import run_sql

revision, down_revision = "0046", "0045"

SQL = """
SELECT set_config('app.role', 'system', true);

-- Coarse on purpose: that somebody looked within an hour, and when first; not each glance.
CREATE TABLE consent_looks (
    resident_id uuid NOT NULL REFERENCES residents,
    account_id uuid NOT NULL REFERENCES accounts,    -- who looked
    purpose text NOT NULL,
    hour timestamptz NOT NULL,                       -- care time
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (resident_id, account_id, purpose, hour),
    CONSTRAINT consent_looks_purpose CHECK (purpose IN ('status', 'location', 'reports')),    -- booking is no looking
    CONSTRAINT consent_looks_within CHECK (looked_at >= hour AND looked_at < hour + interval '1 hour')
);
CREATE INDEX consent_looks_by_time ON consent_looks (resident_id, looked_at);
CREATE INDEX consent_looks_by_hour ON consent_looks (hour);
ALTER TABLE consent_looks ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_looks FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON consent_looks USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_the_desk ON consent_looks FOR SELECT USING (app_role() = 'operator');    -- reads it to whoever rings
CREATE POLICY read_own ON consent_looks FOR SELECT
    USING (EXISTS (SELECT FROM residents r WHERE r.id = resident_id AND r.account_id = app_uuid('app.account')));
GRANT SELECT, INSERT, DELETE ON consent_looks TO yinling_app;

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('keep_looks_days', '2020-01-01', 90, 'd', 'Who looked at what of a resident is kept this long.',
        'judgement of the project: long enough to be noticed, short as it is a fact about those who look, too', false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
