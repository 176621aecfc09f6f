"""What is done at a visit, line by line, and why one ended without a line or at another time than planned."""

from migrations.support import run_sql

revision, down_revision = "0048", "0047"

SQL = """
SELECT set_config('app.role', 'system', true);

-- The lines of a catalogue item, or of every item of a kind that has none of its own. A meal has none: a box is one press.
CREATE TABLE item_lines (
    item text NOT NULL,                       -- an item's code, or a kind
    code text NOT NULL,
    position smallint NOT NULL,               -- in which order they stand
    name text NOT NULL,
    name_en text NOT NULL,
    required boolean NOT NULL,                -- whether nobody checks out without it and without saying why
    source text NOT NULL,
    verified boolean NOT NULL DEFAULT false,
    PRIMARY KEY (item, code)
);
ALTER TABLE item_lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE item_lines FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON item_lines USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_all ON item_lines FOR SELECT USING (app_role() <> '');
GRANT SELECT ON item_lines TO yinling_app;

INSERT INTO item_lines (item, code, position, name, name_en, required, source) VALUES
    ('bath', 'mat', 1, '防滑垫铺好', 'Non-slip mat laid', true, 'judgement of the project, unverified'),
    ('bath', 'water', 2, '水温量过，35–40 度', 'Water measured, 35 to 40 °C', true,
        '35 to 40 °C: 生命时报 2019-05-21, advice and no standard; that it is measured is a judgement of the project'),
    ('bath', 'washed', 3, '洗头洗身', 'Hair and body washed', true, 'judgement of the project: what was booked; unverified'),
    ('bath', 'skin', 4, '看过皮肤，有没有破', 'Skin looked at for sores', true, 'judgement of the project, unverified'),
    ('bath', 'dressed', 5, '穿好衣服，喝温水，歇一会儿', 'Dressed, something warm to drink, a rest', true,
        'rest and a drink after the bath: egaonokai.jp and newspapers; unverified'),
    ('bath', 'after', 6, '洗后又量了一次', 'Measured again after the bath', true,
        'before and after a bath: Xinmin Evening News 2025-08-20'),
    ('rehab', 'asked', 1, '问过今天身体怎么样', 'Asked how they feel today', false, 'judgement of the project, unverified'),
    ('rehab', 'trained', 2, '照方案练了', 'Trained as their plan says', false,
        'rehabilitation follows a plan: NHC and NATCM notice on medical services at home; what it says stands in the plan'),
    ('rehab', 'rested', 3, '歇过，没有不舒服', 'Rested, and no complaints', false, 'judgement of the project, unverified')
ON CONFLICT DO NOTHING;

-- Each press is kept: what was ticked, what was taken back, and when; a line stands as its last one says.
CREATE TABLE visit_ticks (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL REFERENCES orders,
    worker_id uuid NOT NULL REFERENCES workers,
    line text NOT NULL,
    done boolean NOT NULL,                    -- false takes it back
    received_at timestamptz NOT NULL DEFAULT yinling_now(),
    device_at timestamptz,                    -- the phone's own clock
    offline boolean NOT NULL,
    counts boolean NOT NULL,                  -- whether it was pressed by somebody at the door
    CONSTRAINT visit_ticks_offline CHECK (NOT offline OR device_at IS NOT NULL)    -- only the phone knows when it was
);
CREATE INDEX visit_ticks_by_order ON visit_ticks (order_id, line, id);
ALTER TABLE visit_ticks ENABLE ROW LEVEL SECURITY;
ALTER TABLE visit_ticks FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON visit_ticks USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_the_desk ON visit_ticks FOR SELECT USING (app_role() = 'operator');
CREATE POLICY read_by_the_provider ON visit_ticks FOR SELECT USING (app_role() = 'provider'
    AND EXISTS (SELECT FROM orders o WHERE o.id = visit_ticks.order_id AND o.provider_id = app_uuid('app.provider')));
CREATE POLICY read_at_the_door ON visit_ticks FOR SELECT
    USING (EXISTS (SELECT FROM assignments a WHERE a.order_id = visit_ticks.order_id
                   AND a.worker_id = app_uuid('app.worker') AND a.status = 'checked_in'));
GRANT SELECT, INSERT ON visit_ticks TO yinling_app;

ALTER TABLE visit_records
    ADD COLUMN lines_reason text,        -- why a required line was left out, as the worker said
    ADD COLUMN end_reason text,          -- why it ended long before its planned end, or long after it, as the worker said
    ADD CONSTRAINT visit_records_lines_reason CHECK (lines_reason IN ('resident_declined', 'unwell', 'no_time', 'other')),
        -- what there are words for
    ADD CONSTRAINT visit_records_end_reason CHECK (end_reason IN ('resident_asked', 'unwell', 'waited', 'equipment', 'other'));

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('end_asked_s', '2020-01-01', 900, 's',
        'Whoever checks out so much before the planned end of a visit, or after it, is asked why.',
        'judgement of the project (design of the doors, 7.5): a quarter of an hour; unverified', false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
