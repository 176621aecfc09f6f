"""Who comes is promised once a provider has accepted: what it weighs to send somebody else, as data."""

from migrations.support import run_sql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SQL = """
INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('weigh_changed', '2020-01-01', 60, 's', 'Sending somebody else than the resident was told counts like so many seconds on the road.',
        'a replayed day of home care: at 200 more visits came late, at 60 as few as at 0', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Insert what the first line says."""
    run_sql(SQL)
