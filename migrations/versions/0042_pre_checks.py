"""What is measured before a service that may harm whoever is unwell: the checks of an item, and what was measured."""

from migrations.support import run_sql

revision, down_revision = "0042", "0041"

SQL = """
SELECT set_config('app.role', 'system', true);

-- The checks of a catalogue item, or of every item of a kind that has none of its own.
CREATE TABLE item_checks (
    item text NOT NULL,                       -- an item's code, or a kind
    code text NOT NULL,
    position smallint NOT NULL,               -- in which order they are asked
    name text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL,
    unit text NOT NULL DEFAULT '',
    least double precision,                   -- a number below this, or above `most`, stops the visit
    most double precision,
    choices jsonb NOT NULL DEFAULT '[]',      -- code, name, name_en, and whether the visit may go on with it
    source text NOT NULL,
    verified boolean NOT NULL DEFAULT false,
    PRIMARY KEY (item, code),
    CONSTRAINT item_checks_kind CHECK (kind IN ('number', 'choice')),    -- what a page has fields for
    CONSTRAINT item_checks_limits CHECK (CASE kind WHEN 'number' THEN least <= most AND choices = '[]'
        ELSE least IS NULL AND most IS NULL AND jsonb_array_length(choices) BETWEEN 2 AND 8 END)    -- something can pass, something fail
);
ALTER TABLE item_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE item_checks FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON item_checks USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_all ON item_checks FOR SELECT USING (app_role() <> '');
GRANT SELECT ON item_checks TO yinling_app;

INSERT INTO item_checks (item, code, position, name, name_en, kind, unit, least, most, choices, source) VALUES
    ('bath', 'systolic', 1, '血压 高压', 'Blood pressure, upper', 'number', 'mmHg', 90, 159, '[]',
        'that blood pressure is taken before a bath: Xinmin Evening News 2025-08-20; no standard names limits (Hayasaka 2016,'
        ' DOI 10.11390/onki.2294); 160 and more stops is a default nobody has verified, below 90 a judgement of the project;'
        ' the provider''s medical lead decides'),
    ('bath', 'diastolic', 2, '血压 低压', 'Blood pressure, lower', 'number', 'mmHg', 50, 99, '[]',
        'as for the upper one; 100 and more stops is a default nobody has verified, below 50 a judgement of the project'),
    ('bath', 'pulse', 3, '心跳', 'Pulse', 'number', '/min', 50, 100, '[]',
        'that the heart rate is taken: Xinmin Evening News 2025-08-20; the limits are a judgement of the project, unverified'),
    ('bath', 'temperature', 4, '体温', 'Temperature', 'number', '°C', 35, 37.4, '[]',
        'that the temperature is taken: Xinmin Evening News 2025-08-20; 37.5 and more stops is a default nobody has verified'),
    ('bath', 'skin', 5, '皮肤有没有破、红、肿', 'Skin broken, red or swollen', 'choice', '', NULL, NULL,
        '[{"code": "none", "name": "没有", "name_en": "No", "fits": true},
          {"code": "minor", "name": "有，不碍事", "name_en": "Yes, it does not matter", "fits": true},
          {"code": "to_see", "name": "有，要看", "name_en": "Yes, somebody has to look", "fits": false}]',
        'judgement of the project, unverified')
ON CONFLICT DO NOTHING;

-- What was measured is a fact of somebody's health: nobody reads it who does not bathe them now or was not let in for it.
CREATE TABLE pre_checks (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL REFERENCES orders,
    resident_id uuid NOT NULL REFERENCES residents,
    worker_id uuid NOT NULL REFERENCES workers,
    received_at timestamptz NOT NULL DEFAULT yinling_now(),
    device_at timestamptz,                    -- the phone's own clock
    offline boolean NOT NULL,
    answers jsonb NOT NULL,                   -- by check, as measured
    outside text[] NOT NULL,                  -- the checks outside their limits, by the limits of that moment
    missing text[] NOT NULL,                  -- those that were not measured
    counts boolean NOT NULL,                  -- whether it was measured by somebody at the door
    passed boolean GENERATED ALWAYS AS (outside = '{}' AND missing = '{}') STORED,
    CONSTRAINT pre_checks_offline CHECK (NOT offline OR device_at IS NOT NULL)    -- only the phone knows when it was
);
CREATE INDEX pre_checks_by_order ON pre_checks (order_id, id);
ALTER TABLE pre_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE pre_checks FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON pre_checks USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_the_desk ON pre_checks FOR SELECT USING (app_role() = 'operator');
CREATE POLICY read_own ON pre_checks FOR SELECT
    USING (EXISTS (SELECT FROM residents r WHERE r.id = resident_id AND r.account_id = app_uuid('app.account')));
CREATE POLICY read_with_consent ON pre_checks FOR SELECT
    USING (EXISTS (SELECT FROM consents c WHERE c.resident_id = pre_checks.resident_id
                   AND c.account_id = app_uuid('app.account') AND c.purpose = 'reports'
                   AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())));
CREATE POLICY read_at_the_door ON pre_checks FOR SELECT
    USING (EXISTS (SELECT FROM assignments a WHERE a.order_id = pre_checks.order_id
                   AND a.worker_id = app_uuid('app.worker') AND a.status = 'checked_in'));
GRANT SELECT, INSERT ON pre_checks TO yinling_app;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
