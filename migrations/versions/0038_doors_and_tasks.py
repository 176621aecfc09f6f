"""A door that nobody opens, a visit that is stopped, an alarm: what is kept of them, and the desk's tasks about them."""

from migrations.support import run_sql

revision, down_revision = "0038", "0037"

SQL = """
SELECT set_config('app.role', 'system', true);

-- What a phone may report: any other word is a mistake of ours.
ALTER TABLE visit_records DROP CONSTRAINT visit_records_kind;
ALTER TABLE visit_records ADD CONSTRAINT visit_records_kind CHECK (kind IN ('en_route', 'check_in', 'check_out', 'pick_up',
    'hand_over', 'no_access', 'abort'));
ALTER TABLE visit_records ADD COLUMN reason text,    -- why a visit was stopped, kept also where the order did not follow
    ADD CONSTRAINT visit_records_reason CHECK ((kind = 'abort') = (reason IS NOT NULL));   -- a stop says why, nothing else does

ALTER TABLE orders ADD COLUMN abort_reason text,    -- may be a fact of somebody's health: shown to the resident's side and the desk
    ADD CONSTRAINT orders_abort_reason CHECK (abort_reason IN ('precheck_failed', 'unwell', 'resident_refuses', 'equipment',
        'unsafe', 'out', 'hospital', 'moved', 'emergency', 'death', 'other'));    -- what there are words for
GRANT UPDATE (abort_reason) ON orders TO yinling_app;

ALTER TABLE residents ADD COLUMN suspended_at timestamptz;    -- since when, where the desk suspended them by a visit's end
GRANT UPDATE (suspended, suspended_at) ON residents TO yinling_app;

CREATE TABLE emergencies (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    raised_by uuid NOT NULL REFERENCES accounts,
    role text NOT NULL,                       -- at which door: who rings the hotline has an operator raise it
    resident_id uuid REFERENCES residents,    -- whom it is about; empty for a caller nobody knows yet
    order_id uuid REFERENCES orders,          -- the visit at which a worker raised it
    x double precision,                       -- where the phone was, WGS-84 or metres; empty where it did not say
    y double precision,
    accuracy_m double precision,
    device_at timestamptz,                    -- the phone's own clock, evidence only
    remark text NOT NULL DEFAULT '',
    raised_at timestamptz NOT NULL DEFAULT yinling_now(),
    called_off_at timestamptz,                -- whoever raised it says it was a slip; the desk rings back all the same
    closed_at timestamptz,
    closed_by uuid REFERENCES accounts,
    outcome text,
    closing_remark text NOT NULL DEFAULT '',
    CONSTRAINT emergencies_role CHECK (role IN ('resident', 'family', 'worker', 'operator')),    -- who can raise one
    CONSTRAINT emergencies_outcome CHECK (outcome IN ('hospital', 'fine', 'mistake', 'other')),  -- what there are words for
    CONSTRAINT emergencies_closed CHECK ((closed_at IS NULL) = (outcome IS NULL) AND (closed_at IS NULL) = (closed_by IS NULL)),
        -- none ends without somebody and an outcome
    CONSTRAINT emergencies_position CHECK ((x IS NULL) = (y IS NULL)),    -- half a position is none
    CONSTRAINT emergencies_in_order CHECK (closed_at >= raised_at AND called_off_at >= raised_at)
);
CREATE INDEX emergencies_open ON emergencies (raised_at, id) WHERE closed_at IS NULL;
CREATE INDEX emergencies_by_raiser ON emergencies (raised_by, raised_at);
CREATE INDEX emergencies_by_closing ON emergencies (closed_at) WHERE closed_at IS NOT NULL;
ALTER TABLE emergencies ENABLE ROW LEVEL SECURITY;
ALTER TABLE emergencies FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON emergencies USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_own ON emergencies FOR SELECT USING (app_is_staff() OR raised_by = app_uuid('app.account'));
GRANT SELECT ON emergencies TO yinling_app;

-- A task is about the platform itself, or about one order, one emergency or one resident.
ALTER TABLE desk_tasks
    ADD COLUMN order_id uuid REFERENCES orders,
    ADD COLUMN emergency_id uuid REFERENCES emergencies,
    ADD COLUMN resident_id uuid REFERENCES residents,
    ADD COLUMN due_at timestamptz,                -- care time; empty where nothing is to happen by a clock
    ADD COLUMN level integer NOT NULL DEFAULT 1,  -- how far the search behind a shut door has come
    ADD COLUMN owner_id uuid REFERENCES accounts, -- the operator who took it
    ADD COLUMN taken_at timestamptz,
    ADD COLUMN outcome text;                      -- what came of it; empty where the platform's own task closed itself
ALTER TABLE desk_tasks DROP CONSTRAINT desk_tasks_kind;
ALTER TABLE desk_tasks
    ADD CONSTRAINT desk_tasks_kind CHECK (kind IN ('feed_stalled', 'codes_not_sent', 'emergency', 'no_access',
        'no_access_late', 'suspended')),    -- what the desk has words for
    ADD CONSTRAINT desk_tasks_about CHECK (CASE kind WHEN 'emergency' THEN emergency_id IS NOT NULL
        WHEN 'no_access' THEN order_id IS NOT NULL WHEN 'no_access_late' THEN order_id IS NOT NULL
        WHEN 'suspended' THEN resident_id IS NOT NULL ELSE true END
        AND num_nonnulls(order_id, emergency_id, resident_id)
            = CASE WHEN kind IN ('feed_stalled', 'codes_not_sent') THEN 0 ELSE 1 END),    -- one thing, and the right one
    ADD CONSTRAINT desk_tasks_level CHECK (level >= 1),
    ADD CONSTRAINT desk_tasks_taken CHECK ((owner_id IS NULL) = (taken_at IS NULL));    -- taken by somebody, or by nobody
DROP INDEX desk_tasks_one_open;
CREATE UNIQUE INDEX desk_tasks_one_open ON desk_tasks (kind, order_id, emergency_id, resident_id) NULLS NOT DISTINCT
    WHERE closed_at IS NULL;    -- told once, however many notice it
GRANT UPDATE (due_at, level, owner_id, taken_at, outcome) ON desk_tasks TO yinling_app;

-- what a day reads of orders that are under way: those behind a shut door are, too
DROP INDEX orders_under_way;
CREATE INDEX orders_under_way ON orders (zone_id, plan_on)
    WHERE status IN ('en_route', 'arrived', 'in_service', 'no_access');

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('no_access_step_s', '2020-01-01', 180, 's',
        'While nobody opens a door, the desk''s task becomes more urgent each time this has passed.',
        'judgement of the project: a call that nobody answers, and the next one; unverified', false),
    ('no_access_wait_s', '2020-01-01', 900, 's', 'A crew is asked to wait at a door that nobody opens for this long.',
        'judgement of the project, unverified', false),
    ('no_access_levels', '2020-01-01', 4, '1',
        'How urgent it becomes at most: the resident is rung, those who know them, whoever lives near, then 120.',
        'the order of calls is from reports of meal carriers; their number is a judgement of the project, unverified', false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
