"""Family asks for a consent it has not been given; the resident answers, by themselves or through an operator."""

from migrations.support import run_sql

revision, down_revision = "0045", "0044"

SQL = """
SELECT set_config('app.role', 'system', true);

CREATE TABLE consent_requests (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    account_id uuid NOT NULL REFERENCES accounts,   -- who asks
    person text NOT NULL,                     -- under which name and number the resident knows them: a yes is given to these
    phone text NOT NULL,
    sought text NOT NULL,                     -- whom they ask, as they typed it: the name, and the number in E.164
    sought_phone text,
    named_id uuid REFERENCES residents,       -- whom they ask where they know them already, and have typed nothing
    resident_id uuid REFERENCES residents,    -- whom it reaches; empty where it reaches nobody, which who asks is never told
    purposes text[] NOT NULL,
    given text[] NOT NULL DEFAULT '{}',
    refused text[] NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'asked',
    by_desk boolean NOT NULL,                 -- an operator is to ask them
    asked_at timestamptz NOT NULL DEFAULT yinling_now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,                     -- when the last answer came, it was taken back, or nobody had answered
    answered_at timestamptz,
    answered_by uuid REFERENCES accounts,
    channel text,
    evidence text,                            -- of the last answer; what was given has its own beside the consent
    CONSTRAINT consent_requests_status CHECK (status IN ('asked', 'given', 'refused', 'expired', 'withdrawn')),
    CONSTRAINT consent_requests_purposes CHECK (purposes <@ ARRAY['status', 'location', 'reports', 'book'] AND cardinality(purposes) > 0),
    CONSTRAINT consent_requests_answers CHECK ((given || refused) <@ purposes AND NOT (given && refused)),   -- one answer to each
    CONSTRAINT consent_requests_ended CHECK ((status = 'asked') = (ended_at IS NULL)),
    CONSTRAINT consent_requests_whom CHECK ((named_id IS NULL) = (sought_phone IS NOT NULL)),
    CONSTRAINT consent_requests_answered CHECK ((answered_at IS NULL) = (evidence IS NULL))   -- no answer without evidence
);
CREATE INDEX consent_requests_by_account ON consent_requests (account_id, asked_at);
CREATE INDEX consent_requests_by_resident ON consent_requests (resident_id, asked_at);
CREATE INDEX consent_requests_by_ending ON consent_requests (ended_at) WHERE ended_at IS NOT NULL;
-- Somebody is asked once at a time by the same person, however they are named.
CREATE UNIQUE INDEX consent_requests_one_open ON consent_requests (resident_id, account_id) WHERE status = 'asked';
ALTER TABLE consent_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE consent_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON consent_requests USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
-- Whoever asks reads through the platform, which keeps from them whom it reaches.
CREATE POLICY read_by_the_desk ON consent_requests FOR SELECT USING (app_role() = 'operator');
CREATE POLICY read_own ON consent_requests FOR SELECT
    USING (EXISTS (SELECT FROM residents r WHERE r.id = resident_id AND r.account_id = app_uuid('app.account')));
GRANT SELECT, INSERT, DELETE, UPDATE (given, refused, status, ended_at, answered_at, answered_by, channel, evidence)
    ON consent_requests TO yinling_app;

ALTER TABLE desk_tasks
    DROP CONSTRAINT desk_tasks_kind,
    DROP CONSTRAINT desk_tasks_about;
ALTER TABLE desk_tasks
    ADD CONSTRAINT desk_tasks_kind CHECK (kind IN ('feed_stalled', 'codes_not_sent', 'emergency', 'no_access',
        'no_access_late', 'suspended', 'crew_short', 'consent_asked')),    -- what the desk has words for
    ADD CONSTRAINT desk_tasks_about CHECK (CASE WHEN kind = 'emergency' THEN emergency_id IS NOT NULL
        WHEN kind IN ('no_access', 'no_access_late', 'crew_short') THEN order_id IS NOT NULL
        WHEN kind IN ('suspended', 'consent_asked') THEN resident_id IS NOT NULL ELSE true END
        AND num_nonnulls(order_id, emergency_id, resident_id)
            = CASE WHEN kind IN ('feed_stalled', 'codes_not_sent') THEN 0 ELSE 1 END);    -- one thing, and the right one

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('consent_requests_open', '2020-01-01', 3, '1', 'Nobody waits for more answers than this at a time, of whomever they have asked.',
        'judgement of the project', false),
    ('consent_requests_a_day', '2020-01-01', 5, '1', 'Nobody asks for consent more often than this within 24 hours, whomever they ask.',
        'judgement of the project', false),
    ('consent_request_valid_days', '2020-01-01', 7, 'd', 'Who asks for a consent waits this long for an answer.',
        'judgement of the project', false),
    ('consent_request_again_days', '2020-01-01', 30, 'd', 'Who was refused a consent does not ask for it again before this.',
        'judgement of the project: nobody is to be badgered into a yes', false),
    ('keep_consent_requests_days', '2020-01-01', 366, 'd', 'What was asked for, and the answer, is kept this long after its end.',
        'judgement of the project: longer than nobody may ask again; what was given is kept with the consent', false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
