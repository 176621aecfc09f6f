"""What a plan costs, as data: how lateness and waiting weigh beside a second on the road."""

from migrations.support import run_sql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SQL = """
INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('weigh_late_s', '2020-01-01', 4, 's/s', 'Each second a visit begins after it is due counts like so many on the road.',
        'judgement of the project', false),
    ('weigh_late_flat', '2020-01-01', 1200, 's', 'A visit that is late at all counts like so many seconds on the road.',
        'judgement of the project', false),
    ('weigh_meal_late_s', '2020-01-01', 1, 's/s', 'The same of each second a meal is late.',
        'ten recorded meal days: more meals came in time than with 4', false),
    ('weigh_meal_late_flat', '2020-01-01', 2500, 's', 'The same of a meal that is late at all.',
        'ten recorded meal days: more meals came in time than with 1200', false),
    ('weigh_wait_s', '2020-01-01', 0.2, 's/s', 'Each second a meal waits between being ready and being handed over.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;

-- planners keep these figures together with the rosters
CREATE TRIGGER roster_changed AFTER INSERT OR UPDATE OR DELETE ON rule_parameters
    FOR EACH STATEMENT EXECUTE FUNCTION raise_roster_stamp();
"""


def upgrade() -> None:
    """Insert what the first line says."""
    run_sql(SQL)
