"""A visit that was done without signal: whose word it can be, and that its reports may count afterwards."""

from migrations.support import run_sql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

-- Whether this worker was ever bound to come. Who was only proposed was never sent, and shows no visit afterwards.
ALTER TABLE assignments ADD COLUMN bound boolean NOT NULL DEFAULT false;
UPDATE assignments a SET bound = a.status NOT IN ('proposed', 'declined') AND (
    a.status NOT IN ('withdrawn', 'replaced') OR a.version > 2 OR NOT EXISTS (
        SELECT FROM offers f JOIN offer_seats s ON s.offer_id = f.id
        WHERE f.order_id = a.order_id AND s.worker_id = a.worker_id));
GRANT UPDATE (bound) ON assignments TO yinling_app;
GRANT UPDATE (counts) ON visit_records TO yinling_app;   -- what an order could not follow at first may count later

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('booked_again_days', '2020-01-01', 1, 'd',
        'A visit of the same service so many days after one that failed is taken for its replacement.',
        'judgement of the project', false)
ON CONFLICT DO NOTHING;
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
