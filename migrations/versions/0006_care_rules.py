"""The care rules a city starts with: limits with their source, to be overridden by region and date."""

from migrations.support import run_sql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQL = """
ALTER TABLE providers ADD CONSTRAINT providers_open CHECK (opens_at < closes_at);   -- an offer's clock must run

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('hold_app_s', '2020-01-01', 180, 's', 'A slot held in the app is kept this long.',
        'judgement of the project', false),
    ('hold_call_s', '2020-01-01', 480, 's', 'A slot held during a call or at a counter is kept this long.',
        'judgement of the project', false),
    ('hold_extension_s', '2020-01-01', 180, 's', 'One extension keeps a hold this much longer.',
        'judgement of the project', false),
    ('hold_extensions_s', '2020-01-01', 420, 's', 'All extensions of one hold together add no more than this.',
        'judgement of the project', false),
    ('manual_after_s', '2020-01-01', 1800, 's', 'An order of the same day nobody has accepted goes to the desk.',
        'judgement of the project', false),
    ('manual_evening_hour', '2020-01-01', 17, 'h', 'An order of a later day goes to the desk at this hour the day before.',
        'judgement of the project', false),
    ('manual_before_start_s', '2020-01-01', 3600, 's', 'No order nobody has accepted reaches the desk later than this before its window.',
        'judgement of the project', false),
    ('missed_grace_s', '2020-01-01', 3600, 's', 'Nobody has checked in this long after the last possible start: missed.',
        'judgement of the project', false),
    ('missing_out_after_s', '2020-01-01', 7200, 's', 'A visit nobody checks out of ends by itself this long after its planned end.',
        'judgement of the project', false),
    ('silence_is_agreement_s', '2020-01-01', 86400, 's', 'A resident who says nothing for this long has agreed.',
        'judgement of the project', false),
    ('check_in_radius_m', '2020-01-01', 200, 'm', 'A check-in further away is flagged, never blocked.',
        'judgement of the project', false),
    ('meal_to_bath_gap_s', '2020-01-01', 3600, 's', 'No bath begins sooner than this after a meal.',
        'common care practice', false),
    ('hot_meal_ride_s', '2020-01-01', 1800, 's', 'A hot meal rides no longer than this.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Insert what the first line says."""
    run_sql(SQL)
