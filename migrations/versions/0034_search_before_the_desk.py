"""An order booked shortly before its window is offered to providers before an operator takes it over."""

from migrations.support import run_sql

revision, down_revision = "0034", "0033"


def upgrade() -> None:
    """Insert how long a search lasts at least; a figure a city has set already stands."""
    run_sql("""
INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('manual_search_s', '2020-01-01', 300, 's',
        'However near its window, an order is offered this long before it goes to the desk, at most until its window begins.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
""")
