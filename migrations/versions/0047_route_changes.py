"""From how much on a worker is told that a visit of their day begins at another time."""

from migrations.support import run_sql

revision, down_revision = "0047", "0046"


def upgrade() -> None:
    """Make what the first line says."""
    run_sql("""
INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('route_told_s', '2020-01-01', 600, 's',
        'A worker is told that a stop of their day is to begin at another time when it has moved by this much since they took note of it.',
        'judgement of the project: within it, a day flows as planned', false)
ON CONFLICT DO NOTHING;
""")
