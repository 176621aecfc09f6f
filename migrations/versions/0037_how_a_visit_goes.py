"""What residents and families follow of a visit: when the provider accepted, and how far off an expected arrival may be."""

from migrations.support import run_sql

revision, down_revision = "0037", "0036"


def upgrade() -> None:
    """Find the offers of an order, and say how wide the range of an expected arrival is."""
    run_sql("""
CREATE INDEX offers_by_order ON offers (order_id, id);   -- when its provider accepted
INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('arrival_early_s', '2020-01-01', 240, 's',
        'So much earlier than planned a crew may arrive: the beginning of the range that residents and families are told.',
        'judgement of the project', false),
    ('arrival_late_s', '2020-01-01', 360, 's',
        'So much later than planned a crew may arrive: the end of the range that residents and families are told.',
        'judgement of the project', false),
    ('arrival_redraw_s', '2020-01-01', 120, 's',
        'An expected arrival that moves by less is told as it was: an estimate that jumps about helps nobody.',
        'judgement of the project', false),
    ('door_told_before_s', '2020-01-01', 3600, 's',
        'A worker is told whose door it is and where so long before the visit is planned, and not any more when it is over.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
""")
