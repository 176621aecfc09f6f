"""What the resident says on the worker's phone, with digits of their own; and a meal left where that was agreed."""

from migrations.support import run_sql

revision, down_revision = "0049", "0048"

SQL = """
SELECT set_config('app.role', 'system', true);

-- Drawn when the care is over: the digits for the door are known to whoever has typed them there.
CREATE TABLE word_digits (
    order_id uuid PRIMARY KEY REFERENCES orders,
    resident_id uuid NOT NULL REFERENCES residents,
    digits text NOT NULL,
    CONSTRAINT word_digits_four CHECK (digits ~ '^[0-9]{4}$')    -- what can be typed with a thumb
);
CREATE INDEX word_digits_by_resident ON word_digits (resident_id);
ALTER TABLE word_digits ENABLE ROW LEVEL SECURITY;
ALTER TABLE word_digits FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON word_digits USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_own ON word_digits FOR SELECT    -- nobody reads them who could not confirm the visit themselves
    USING (EXISTS (SELECT FROM residents r WHERE r.id = resident_id AND r.account_id = app_uuid('app.account'))
        OR EXISTS (SELECT FROM consents c WHERE c.resident_id = word_digits.resident_id
                   AND c.account_id = app_uuid('app.account') AND c.purpose = 'book'
                   AND c.valid_from <= now() AND (c.valid_to IS NULL OR c.valid_to > now())));
GRANT SELECT, INSERT ON word_digits TO yinling_app;

-- Everything that was pressed on a worker's phone as the resident's word, with what it was good for.
CREATE TABLE handed_words (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL REFERENCES orders,
    worker_id uuid NOT NULL REFERENCES workers,    -- whose phone it was
    word text,                                     -- empty where they would rather be rung
    digits_fit boolean,                            -- empty where none were judged
    taken boolean NOT NULL,                        -- whether it stands as the resident's word
    said_at timestamptz NOT NULL DEFAULT yinling_now(),
    device_at timestamptz,                         -- the phone's own clock
    CONSTRAINT handed_words_word CHECK (word IN ('well', 'fair', 'objects')),    -- what there are buttons for
    CONSTRAINT handed_words_taken CHECK (NOT taken OR (word IS NOT NULL AND digits_fit))    -- nobody says it for them
);
CREATE INDEX handed_words_by_order ON handed_words (order_id, id);
ALTER TABLE handed_words ENABLE ROW LEVEL SECURITY;
ALTER TABLE handed_words FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON handed_words USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_the_desk ON handed_words FOR SELECT USING (app_role() = 'operator');
GRANT SELECT, INSERT ON handed_words TO yinling_app;

ALTER TABLE visit_statements ADD COLUMN channel text NOT NULL DEFAULT 'own',
    ADD CONSTRAINT visit_statements_channel CHECK (channel IN ('own', 'workers_phone'));    -- on whose phone it was said

ALTER TABLE visit_records ADD COLUMN left_at_door boolean NOT NULL DEFAULT false,    -- a meal that nobody took from a hand
    ADD CONSTRAINT visit_records_left_at_door CHECK (NOT left_at_door OR kind = 'hand_over');    -- a person is not left there

ALTER TABLE desk_tasks
    DROP CONSTRAINT desk_tasks_kind,
    DROP CONSTRAINT desk_tasks_about;
ALTER TABLE desk_tasks
    ADD CONSTRAINT desk_tasks_kind CHECK (kind IN ('feed_stalled', 'codes_not_sent', 'emergency', 'no_access',
        'no_access_late', 'suspended', 'crew_short', 'consent_asked', 'word_asked')),    -- what the desk has words for
    ADD CONSTRAINT desk_tasks_about CHECK (CASE WHEN kind = 'emergency' THEN emergency_id IS NOT NULL
        WHEN kind IN ('no_access', 'no_access_late', 'crew_short', 'word_asked') THEN order_id IS NOT NULL
        WHEN kind IN ('suspended', 'consent_asked') THEN resident_id IS NOT NULL ELSE true END
        AND num_nonnulls(order_id, emergency_id, resident_id)
            = CASE WHEN kind IN ('feed_stalled', 'codes_not_sent') THEN 0 ELSE 1 END);    -- one thing, and the right one

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
