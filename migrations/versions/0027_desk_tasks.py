"""Tasks of the desk that no order brings about: something of the platform itself wants a person."""

from migrations.support import run_sql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

CREATE TABLE desk_tasks (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    kind text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',    -- figures and names of programs; nothing of a person
    opened_at timestamptz NOT NULL DEFAULT now(),   -- machine time: it is about machines
    closed_at timestamptz,
    CONSTRAINT desk_tasks_kind CHECK (kind IN ('feed_stalled')),    -- what the desk has words for
    CONSTRAINT desk_tasks_in_order CHECK (closed_at >= opened_at)
);
CREATE UNIQUE INDEX desk_tasks_one_open ON desk_tasks (kind) WHERE closed_at IS NULL;   -- told once, however many notice it
CREATE INDEX desk_tasks_by_closing ON desk_tasks (closed_at) WHERE closed_at IS NOT NULL;
ALTER TABLE desk_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE desk_tasks FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON desk_tasks USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_staff ON desk_tasks FOR SELECT USING (app_is_staff());
GRANT SELECT, INSERT, DELETE, UPDATE (closed_at) ON desk_tasks TO yinling_app;

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('feed_slow_s', '2020-01-01', 5, 's', 'The feed is called slow when its oldest event has waited this long to be told.',
        'judgement of the project: the longest transaction of its own processes is longer only under load', false),
    ('feed_stalled_s', '2020-01-01', 60, 's', 'The desk gets a task when the oldest event has waited this long to be told.',
        'judgement of the project', false),
    ('keep_desk_tasks_days', '2020-01-01', 183, 'd', 'A task of the desk about the platform itself is kept this long after its end.',
        'judgement of the project: two of its kind are compared; it names no person', false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
