"""Every place lies on the map its zone is drawn on, and a new home near its zone."""

from migrations.support import run_sql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

MEND = """
SELECT set_config('app.role', 'system', true);

-- A point that lies nowhere is a place without coordinates: its orders are set aside to the desk, which asks again.
UPDATE places SET geometry = 'none', x = 0, y = 0
    WHERE (geometry = 'wgs84' AND NOT (x BETWEEN -180 AND 180 AND y BETWEEN -90 AND 90))
       OR (geometry = 'plane' AND NOT (x BETWEEN -1e6 AND 1e6 AND y BETWEEN -1e6 AND 1e6));
"""
SQL = """
ALTER TABLE places ADD CONSTRAINT places_on_the_map CHECK (   -- no travel is worked out to where no earth is
    CASE geometry WHEN 'wgs84' THEN x BETWEEN -180 AND 180 AND y BETWEEN -90 AND 90    -- degrees
                  WHEN 'plane' THEN x BETWEEN -1e6 AND 1e6 AND y BETWEEN -1e6 AND 1e6  -- metres: no city is larger
                  ELSE true END);

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('home_from_zone_m', '2020-01-01', 50000, 'm',
        'A new home lies no further than this from the nearest place its zone works from.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Mend what is there and refuse it from now on."""
    run_sql(MEND + SQL)
