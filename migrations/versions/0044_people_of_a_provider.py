"""A provider sets its own roster and says who does not come, for a reason of a short list; credentials are told before they end."""

from migrations.support import run_sql

revision, down_revision = "0044", "0043"

SQL = """
SELECT set_config('app.role', 'system', true);

UPDATE leaves SET reason = CASE WHEN reason IN ('sick', 'holiday', 'training') THEN reason
                                WHEN reason = 'ill' THEN 'sick' ELSE 'other' END;
ALTER TABLE leaves
    ADD CONSTRAINT leaves_reason CHECK (reason IN ('sick', 'holiday', 'training', 'other'));   -- nobody writes down what somebody has
GRANT INSERT, UPDATE (during) ON leaves TO yinling_app;

GRANT INSERT, DELETE ON shifts TO yinling_app;

-- what one worker still has before them: a plain column, so that it serves behind row-level security
CREATE INDEX stops_by_worker ON stops (worker_id) WHERE active;

ALTER TABLE desk_tasks DROP CONSTRAINT desk_tasks_kind, DROP CONSTRAINT desk_tasks_about;
ALTER TABLE desk_tasks
    ADD CONSTRAINT desk_tasks_kind CHECK (kind IN ('feed_stalled', 'codes_not_sent', 'emergency', 'no_access',
        'no_access_late', 'suspended', 'crew_short')),    -- what the desk has words for
    ADD CONSTRAINT desk_tasks_about CHECK (CASE kind WHEN 'emergency' THEN emergency_id IS NOT NULL
        WHEN 'no_access' THEN order_id IS NOT NULL WHEN 'no_access_late' THEN order_id IS NOT NULL
        WHEN 'crew_short' THEN order_id IS NOT NULL WHEN 'suspended' THEN resident_id IS NOT NULL ELSE true END
        AND num_nonnulls(order_id, emergency_id, resident_id)
            = CASE WHEN kind IN ('feed_stalled', 'codes_not_sent') THEN 0 ELSE 1 END);    -- one thing, and the right one

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('absence_most_days', '2020-01-01', 366, 'd', 'An absence of a worker is recorded for so long at most; a longer one is recorded again.',
        'judgement of the project: longer than any leave the law names, unverified', false),
    ('absence_back_s', '2020-01-01', 86400, 's', 'An absence may begin so long before it is recorded.',
        'judgement of the project: somebody calls in the day after, unverified', false),
    ('shift_most_s', '2020-01-01', 39600, 's', 'Somebody works so long on one day at most.',
        'Labour Law of the PRC, articles 36 and 41: eight hours, and up to three more; not checked against local rules', false),
    ('roster_ahead_days', '2020-01-01', 92, 'd', 'Shifts are set so far ahead at most.', 'judgement of the project, unverified', false),
    ('credential_notice_first_days', '2020-01-01', 60, 'd', 'So long before a credential expires its provider is told for the first time.',
        'judgement of the project: a course has to be found and attended, unverified', false),
    ('credential_notice_second_days', '2020-01-01', 30, 'd', 'So long before, it is told more urgently.',
        'judgement of the project, unverified', false),
    ('credential_notice_last_days', '2020-01-01', 7, 'd', 'So long before, visits beyond it have to be given to others.',
        'judgement of the project: residents are told a week ahead who comes, unverified', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
