"""How much may be asked of the city in one resident's name."""

from migrations.support import run_sql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

CREATE TABLE quotes_asked (
    resident_id uuid NOT NULL REFERENCES residents,
    asked_on date NOT NULL,           -- the city's date in care time
    by_desk boolean NOT NULL,         -- whoever asked too often in an app is still helped on the telephone
    asked integer NOT NULL DEFAULT 1,
    CONSTRAINT quotes_asked_asked_on_finite CHECK (is_finite(asked_on)),
    PRIMARY KEY (resident_id, asked_on, by_desk)    -- one count, so that no question escapes it
);
ALTER TABLE quotes_asked ENABLE ROW LEVEL SECURITY;
ALTER TABLE quotes_asked FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON quotes_asked USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
GRANT SELECT, INSERT, DELETE, UPDATE (asked) ON quotes_asked TO yinling_app;
GRANT UPDATE (id) ON residents TO yinling_app;   -- to lock one: bookings of a resident are counted one after the other

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('most_holds', '2020-01-01', 3, 'orders', 'One resident has no more slots held at a time.',
        'judgement of the project', false),
    ('most_orders_a_day', '2020-01-01', 8, 'orders', 'One resident has no more open orders on one day.',
        'judgement of the project', false),
    ('most_open_orders', '2020-01-01', 60, 'orders', 'One resident has no more open orders in all.',
        'judgement of the project', false),
    ('most_bookings_a_day', '2020-01-01', 40, 'orders', 'No more orders are held or booked in one day for one resident.',
        'judgement of the project', false),
    ('most_quotes_a_day', '2020-01-01', 300, 'quotes', 'Slots are not looked for more often in one day for one resident; the desk counts apart.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Create what the first line says."""
    run_sql(SQL)
