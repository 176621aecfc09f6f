"""Every report is kept, whether or not the order followed it; what is odd about one; what each side said of a visit."""

from migrations.support import run_sql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SQL = """
SELECT set_config('app.role', 'system', true);

ALTER TABLE visit_records
    ADD COLUMN assignment_id uuid REFERENCES assignments,    -- the seat it was made from; empty for who has left the crew
    ADD COLUMN counts boolean NOT NULL DEFAULT true,     -- whether the order followed it; false is evidence only
    ADD COLUMN offline boolean NOT NULL DEFAULT false,   -- kept on the phone and sent later
    ADD COLUMN entered_by uuid REFERENCES accounts;      -- who keyed it in for the worker, where that was not the worker
UPDATE visit_records r SET assignment_id = (
    SELECT a.id FROM assignments a WHERE a.order_id = r.order_id AND a.worker_id = r.worker_id ORDER BY a.id DESC LIMIT 1);
CREATE INDEX visit_records_by_worker ON visit_records (worker_id, received_at);   -- where somebody was last

-- What the resident's side and the crew's said of a visit: agreement, objection, explanation. Rows are never changed.
CREATE TABLE visit_statements (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL REFERENCES orders,
    side text NOT NULL,
    kind text NOT NULL,
    words text NOT NULL,
    said_by uuid NOT NULL REFERENCES accounts,    -- the account it was written with: their own, or the operator's who heard it
    said_at timestamptz NOT NULL DEFAULT yinling_now(),
    CONSTRAINT visit_statements_side CHECK (side IN ('resident', 'family', 'provider', 'worker')),  -- two sides, four voices
    CONSTRAINT visit_statements_kind CHECK (kind IN ('accepted', 'disputed', 'explained')),
    CONSTRAINT visit_statements_length CHECK (length(words) <= 1000)    -- nobody fills the table with one text
);
CREATE INDEX visit_statements_by_order ON visit_statements (order_id);
ALTER TABLE visit_statements ENABLE ROW LEVEL SECURITY;
ALTER TABLE visit_statements FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON visit_statements USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
CREATE POLICY read_by_staff ON visit_statements FOR SELECT USING (app_is_staff());
GRANT SELECT, INSERT ON visit_statements TO yinling_app;   -- what somebody said is not said otherwise later

CREATE INDEX orders_to_review ON orders (id) WHERE status IN ('exception', 'disputed');   -- the desk's list

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('visit_early_s', '2020-01-01', 1800, 's',
        'A check-in this long before window and plan, or a meal handed over this long before them or before it is made, is flagged.',
        'judgement of the project', false),
    ('visit_min_share', '2020-01-01', 0.5, '1', 'A visit shorter than this share of its planned duration is flagged.',
        'judgement of the project', false),
    ('visit_max_travel_mps', '2020-01-01', 33, 'm/s', 'Nobody gets from one door to another faster than this.',
        'judgement of the project: the highest speed on a motorway', false),
    ('visit_accuracy_m', '2020-01-01', 100, 'm',
        'A position may be further away by what the phone says it may be wrong by, up to this.',
        'judgement of the project', false),
    ('visit_device_clock_s', '2020-01-01', 900, 's', 'A phone whose clock differs from ours by more is flagged.',
        'judgement of the project', false),
    ('visit_offline_back_s', '2020-01-01', 86400, 's', 'A report sent later than this after it was made is flagged.',
        'other visit systems take 12 to 120 hours; the figure is a judgement of the project', false),
    ('visit_needs_position', '2020-01-01', 1, '0 or 1',
        'Silence completes no visit whose reports lack a position; the resident''s own word does. 0 lets silence do it too.',
        'place is one of the six elements of electronic visit verification; that silence cannot replace it is a judgement of the project',
        false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Do what the first line says."""
    run_sql(SQL)
