"""Four digits that the resident tells whoever stands at the door, and why a check-in had no position there."""

from migrations.support import run_sql

revision, down_revision = "0041", "0040"

SQL = """
SELECT set_config('app.role', 'system', true);

-- A row of its own, because policies let in by row: whoever carries an order out may read the order, and never these.
CREATE TABLE door_digits (
    order_id uuid PRIMARY KEY REFERENCES orders,
    resident_id uuid NOT NULL REFERENCES residents,    -- whose door it is: they read them, and whoever they let follow
    digits text NOT NULL,
    CONSTRAINT door_digits_four CHECK (digits ~ '^[0-9]{4}$')    -- what can be said at a door and typed with a thumb
);
CREATE INDEX door_digits_by_resident ON door_digits (resident_id);
ALTER TABLE door_digits ENABLE ROW LEVEL SECURITY;
ALTER TABLE door_digits FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON door_digits USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_own ON door_digits FOR SELECT
    USING (app_role() = 'operator' OR resident_id = ANY (app_residents()));
GRANT SELECT, INSERT ON door_digits TO yinling_app;

-- Visits that are booked already. The bits of a random uuid come from the system's own source; no id of ours is in them.
INSERT INTO door_digits (order_id, resident_id, digits)
SELECT id, resident_id,
       lpad((('x' || left(encode(sha256(uuid_send(gen_random_uuid())), 'hex'), 8))::bit(32)::bigint % 10000)::text, 4, '0')
FROM orders WHERE kind <> 'meal'
    AND status IN ('held', 'placed', 'offered', 'manual', 'accepted', 'en_route', 'arrived', 'no_access', 'missed');

ALTER TABLE visit_records
    ADD COLUMN digits_fit boolean,       -- whether the digits that came with a check-in were right; empty where none were judged
    ADD COLUMN position_reason text,     -- why it had no position, or one elsewhere, as the worker said
    ADD CONSTRAINT visit_records_digits CHECK (digits_fit IS NULL OR kind = 'check_in'),    -- later they prove no coming
    ADD CONSTRAINT visit_records_position_reason CHECK (position_reason IN ('declined', 'no_signal', 'door_elsewhere', 'other'));
        -- what there are words for

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('door_digits_tries', '2020-01-01', 5, '1',
        'After so many wrong digits at one visit''s door no more are judged: nobody gets in by guessing.',
        'judgement of the project: a slip or two of an old voice or a thumb, out of ten thousand; unverified', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
