"""How long a meal may have been ready before anybody brings it."""

from migrations.support import run_sql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('meal_kept_s', '2020-01-01', 14400, 's', 'A meal is not brought that was ready longer ago than this.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Add the rule."""
    run_sql(SQL)
