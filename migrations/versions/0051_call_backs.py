"""Somebody is to be rung back: about an order that was held when they hung up, or about a resident."""

from migrations.support import run_sql

revision, down_revision = "0051", "0050"

SQL = """
ALTER TABLE desk_tasks
    DROP CONSTRAINT desk_tasks_kind,
    DROP CONSTRAINT desk_tasks_about;
ALTER TABLE desk_tasks
    ADD CONSTRAINT desk_tasks_kind CHECK (kind IN ('feed_stalled', 'codes_not_sent', 'emergency', 'no_access',
        'no_access_late', 'suspended', 'crew_short', 'consent_asked', 'word_asked',
        'call_back')),    -- what the desk has words for
    ADD CONSTRAINT desk_tasks_about CHECK (CASE WHEN kind = 'emergency' THEN emergency_id IS NOT NULL
        WHEN kind IN ('no_access', 'no_access_late', 'crew_short', 'word_asked') THEN order_id IS NOT NULL
        WHEN kind IN ('suspended', 'consent_asked') THEN resident_id IS NOT NULL
        WHEN kind = 'call_back' THEN emergency_id IS NULL ELSE true END
        AND num_nonnulls(order_id, emergency_id, resident_id)
            = CASE WHEN kind IN ('feed_stalled', 'codes_not_sent') THEN 0 ELSE 1 END),    -- one thing, and the right one
    ADD CONSTRAINT desk_tasks_call_back CHECK (kind <> 'call_back' OR due_at IS NOT NULL);    -- nobody waits without an end

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('call_back_s', '2020-01-01', 900, 's',
        'Whoever hung up while a time was held for them is rung back within this, and before the time is let go.',
        'judgement of the project: as long as a hold lasts', false),
    ('call_back_ahead_days', '2020-01-01', 31, 'd', 'Nobody is promised a call further ahead than this.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
