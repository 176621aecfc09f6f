"""When lunch is ready, brought and ordered at the latest: what residents are offered who book a meal themselves."""

from migrations.support import run_sql

revision, down_revision = "0040", "0039"


def upgrade() -> None:
    """Say it as figures a city can set, by the city's own clock."""
    run_sql("""
INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('lunch_ordered_by_s', '2020-01-01', 36000, 's', 'Lunch is ordered until this time of day, in seconds after midnight.',
        'judgement of the project, unverified', false),
    ('lunch_ready_s', '2020-01-01', 38700, 's', 'Lunch is ready at the meal points at this time of day, in seconds after midnight.',
        'judgement of the project, unverified', false),
    ('lunch_from_s', '2020-01-01', 39600, 's', 'Lunch is brought from this time of day on, in seconds after midnight.',
        'judgement of the project, unverified', false),
    ('lunch_to_s', '2020-01-01', 43200, 's', 'Lunch is brought until this time of day, in seconds after midnight.',
        'judgement of the project, unverified', false),
    ('lunch_latest_s', '2020-01-01', 45000, 's', 'A late lunch is still brought until this time of day, in seconds after midnight.',
        'judgement of the project, unverified', false)
ON CONFLICT DO NOTHING;
""")
