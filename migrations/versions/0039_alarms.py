"""Alarms are raised and closed: who may write what of them, how soon the desk rings, and what a second press is."""

from migrations.support import run_sql

revision, down_revision = "0039", "0038"

SQL = """
GRANT INSERT, UPDATE (called_off_at, closed_at, closed_by, outcome, closing_remark) ON emergencies TO yinling_app;
CREATE INDEX desk_tasks_by_emergency ON desk_tasks (emergency_id) WHERE emergency_id IS NOT NULL;

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('emergency_again_s', '2020-01-01', 300, 's',
        'An alarm raised again by the same person for the same resident within this time is the one that is open.',
        'judgement of the project, unverified', false),
    ('emergency_ring_s', '2020-01-01', 60, 's', 'Whoever raised an alarm is to be rung within this time.',
        'judgement of the project, unverified; one city asks for somebody at the door within 30 minutes (Quanzhou 2014)', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
