"""Bookings, orders with seats and links, plans with stops, offers, assignments, visit records and timers."""

from migrations.support import run_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE bookings (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    resident_id uuid NOT NULL REFERENCES residents,
    item_id uuid NOT NULL REFERENCES catalogue_items,
    channel text NOT NULL,
    asked_by uuid REFERENCES accounts,     -- who wanted it; empty when the resident has no account and rang
    entered_by uuid REFERENCES accounts,   -- whose hands entered it
    recurrence text,                       -- RFC 5545 RRULE, empty for a single order
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT yinling_now(),
    CONSTRAINT bookings_channel CHECK (channel IN ('app', 'phone', 'walk_in'))
);
CREATE INDEX bookings_by_resident ON bookings (resident_id);

CREATE TABLE orders (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    code text NOT NULL CONSTRAINT orders_code_once UNIQUE,    -- short, for reading aloud
    booking_id uuid NOT NULL REFERENCES bookings,
    resident_id uuid NOT NULL REFERENCES residents,
    zone_id uuid NOT NULL REFERENCES zones,
    plan_on date NOT NULL,
    catalogue_version_id uuid NOT NULL REFERENCES catalogue_versions,
    item_code text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    flags text[] NOT NULL DEFAULT '{}',
    home_id uuid NOT NULL REFERENCES homes,
    place_id uuid NOT NULL REFERENCES places,
    district_code text NOT NULL,
    street_code text NOT NULL,
    community_code text NOT NULL,
    pickup_facility_id uuid REFERENCES facilities,
    pickup_place_id uuid REFERENCES places,
    ready_at timestamptz,
    pickup_s integer NOT NULL DEFAULT 0,
    max_ride_s integer,
    gender_wish text NOT NULL DEFAULT 'any',
    wish_from timestamptz NOT NULL,
    wish_to timestamptz NOT NULL,
    window_from timestamptz NOT NULL,     -- earliest start promised
    window_to timestamptz NOT NULL,       -- latest start promised
    window_soft boolean NOT NULL DEFAULT false,   -- late is allowed and recorded
    latest_at timestamptz NOT NULL,       -- start later than this is no service at all
    hold_expires_at timestamptz,
    hold_extended_s integer NOT NULL DEFAULT 0,
    price_fen bigint NOT NULL,
    price_lines jsonb NOT NULL,
    provider_id uuid REFERENCES providers,
    acceptance boolean NOT NULL DEFAULT true,
    declined_by uuid[] NOT NULL DEFAULT '{}',
    expired_by uuid[] NOT NULL DEFAULT '{}',
    reason text,
    reasons jsonb NOT NULL DEFAULT '[]',  -- why it is manual or unserved: per worker the first rule that refuses
    created_at timestamptz NOT NULL DEFAULT yinling_now(),
    placed_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT yinling_now(),
    CONSTRAINT orders_window CHECK (window_from <= window_to AND window_to <= latest_at),
    CONSTRAINT orders_wish CHECK (wish_from <= wish_to),
    CONSTRAINT orders_price CHECK (price_fen >= 0),
    CONSTRAINT orders_held_expires CHECK (status <> 'held' OR hold_expires_at IS NOT NULL),
    CONSTRAINT orders_status CHECK (status IN ('held', 'lapsed', 'placed', 'offered', 'accepted', 'manual', 'unserved',
        'en_route', 'arrived', 'in_service', 'aborted', 'no_access', 'missed', 'awaiting_acceptance', 'completed',
        'disputed', 'exception', 'rejected', 'verified', 'settled', 'clawed_back', 'cancelled'))
);
-- The payer lines add up to the price.
CREATE FUNCTION price_lines_sum(lines jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    $$ SELECT coalesce(sum((line ->> 'fen')::bigint), 0)::bigint FROM jsonb_array_elements(lines) line $$;
ALTER TABLE orders ADD CONSTRAINT orders_price_lines CHECK (price_lines_sum(price_lines) = price_fen);
CREATE INDEX orders_by_resident ON orders (resident_id, window_from);
CREATE INDEX orders_by_provider ON orders (provider_id, window_from);
CREATE INDEX orders_by_zone_day ON orders (zone_id, plan_on);
CREATE INDEX orders_waiting ON orders (zone_id, status) WHERE status IN ('placed', 'offered', 'manual');

CREATE TABLE order_seats (
    order_id uuid NOT NULL REFERENCES orders,
    number smallint NOT NULL,
    skills text[] NOT NULL,
    duration_s integer NOT NULL,
    gender_rule text NOT NULL DEFAULT 'any',
    PRIMARY KEY (order_id, number)
);

CREATE TABLE order_links (
    before_id uuid NOT NULL REFERENCES orders,
    after_id uuid NOT NULL REFERENCES orders,
    min_gap_s integer NOT NULL,
    max_gap_s integer,
    gap_from text NOT NULL,
    PRIMARY KEY (before_id, after_id),
    CONSTRAINT order_links_gap CHECK (max_gap_s IS NULL OR min_gap_s <= max_gap_s),
    CONSTRAINT order_links_from CHECK (gap_from IN ('start', 'end')),
    CONSTRAINT order_links_two CHECK (before_id <> after_id)
);
CREATE INDEX order_links_by_after ON order_links (after_id);

CREATE TABLE assignments (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL REFERENCES orders,
    seat smallint NOT NULL,
    worker_id uuid NOT NULL REFERENCES workers,
    status text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT yinling_now(),
    CONSTRAINT assignments_status CHECK (status IN ('proposed', 'accepted', 'en_route', 'checked_in', 'checked_out',
        'declined', 'replaced', 'no_show', 'withdrawn'))
);
-- One worker holds a seat at a time.
CREATE UNIQUE INDEX assignments_one_active ON assignments (order_id, seat)
    WHERE status IN ('proposed', 'accepted', 'en_route', 'checked_in', 'checked_out');
CREATE INDEX assignments_by_worker ON assignments (worker_id, order_id);

CREATE TABLE zone_leases (
    zone_id uuid PRIMARY KEY REFERENCES zones,
    owner text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE plans (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    zone_id uuid NOT NULL REFERENCES zones,
    plan_on date NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    improved_version bigint NOT NULL DEFAULT 0,   -- the version the last improvement left behind
    improved_at timestamptz NOT NULL DEFAULT yinling_now(),   -- care time of that improvement
    CONSTRAINT plans_one_a_day UNIQUE (zone_id, plan_on)
);

CREATE TABLE stops (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    plan_id uuid NOT NULL REFERENCES plans,
    worker_id uuid NOT NULL REFERENCES workers,
    seq integer NOT NULL,
    kind text NOT NULL,
    place_id uuid NOT NULL REFERENCES places,
    order_id uuid REFERENCES orders,
    seat smallint NOT NULL DEFAULT 1,
    during tstzrange NOT NULL,      -- handling time at the place, never ride time
    active boolean NOT NULL DEFAULT true,
    started boolean NOT NULL DEFAULT false,    -- under way or done: the planner no longer moves it
    hold_expires_at timestamptz,
    CONSTRAINT stops_kind CHECK (kind IN ('visit', 'pickup', 'drop', 'break')),
    CONSTRAINT stops_order CHECK ((kind = 'break') = (order_id IS NULL)),
    CONSTRAINT stops_not_empty CHECK (NOT isempty(during)),
    CONSTRAINT stops_worker_once EXCLUDE USING gist    -- no worker is ever in two places
        (uuidrange(worker_id, worker_id, '[]') WITH &&, during WITH &&) WHERE (active) DEFERRABLE INITIALLY IMMEDIATE
);
CREATE INDEX stops_by_plan ON stops (plan_id) WHERE active;
CREATE INDEX stops_by_order ON stops (order_id);

CREATE TABLE stop_orders (     -- a pickup may serve several orders
    stop_id uuid NOT NULL REFERENCES stops ON DELETE CASCADE,
    order_id uuid NOT NULL REFERENCES orders,
    PRIMARY KEY (stop_id, order_id)
);

CREATE TABLE offers (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL REFERENCES orders,
    provider_id uuid NOT NULL REFERENCES providers,
    kind text NOT NULL DEFAULT 'best_first',
    status text NOT NULL DEFAULT 'open',
    version integer NOT NULL DEFAULT 1,
    made_at timestamptz NOT NULL DEFAULT yinling_now(),
    expires_at timestamptz NOT NULL,
    closed_at timestamptz,
    reason text,
    CONSTRAINT offers_kind CHECK (kind IN ('best_first', 'broadcast')),
    CONSTRAINT offers_status CHECK (status IN ('open', 'accepted', 'declined', 'expired', 'withdrawn'))
);
CREATE UNIQUE INDEX offers_one_open ON offers (order_id, provider_id) WHERE status = 'open';
CREATE INDEX offers_by_provider ON offers (provider_id, status);

CREATE TABLE offer_seats (
    offer_id uuid NOT NULL REFERENCES offers,
    seat smallint NOT NULL,
    worker_id uuid NOT NULL REFERENCES workers,
    PRIMARY KEY (offer_id, seat)
);

-- What was captured at the door (electronic visit verification: who, whom, what, where, when in, when out).
CREATE TABLE visit_records (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    order_id uuid NOT NULL REFERENCES orders,
    worker_id uuid NOT NULL REFERENCES workers,
    kind text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT yinling_now(),
    device_at timestamptz,                  -- the phone's own clock, evidence only
    x double precision,
    y double precision,
    accuracy_m double precision,
    distance_m double precision,
    flags text[] NOT NULL DEFAULT '{}',
    tasks jsonb NOT NULL DEFAULT '[]',
    superseded_by uuid REFERENCES visit_records,
    CONSTRAINT visit_records_kind CHECK (kind IN ('en_route', 'check_in', 'check_out', 'pick_up', 'hand_over'))
);
CREATE INDEX visit_records_by_order ON visit_records (order_id);

CREATE TABLE timers (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    due_at timestamptz NOT NULL,       -- care time
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    fired_at timestamptz,
    tries smallint NOT NULL DEFAULT 0,
    last_error text,
    CONSTRAINT timers_once UNIQUE (kind, subject_id)   -- setting a timer again moves it
);
CREATE INDEX timers_due ON timers (due_at) WHERE fired_at IS NULL;

ALTER TABLE bookings ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_seats ENABLE ROW LEVEL SECURITY;
ALTER TABLE order_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE offers ENABLE ROW LEVEL SECURITY;
ALTER TABLE visit_records ENABLE ROW LEVEL SECURITY;
ALTER TABLE assignments ENABLE ROW LEVEL SECURITY;
ALTER TABLE stops ENABLE ROW LEVEL SECURITY;
ALTER TABLE timers ENABLE ROW LEVEL SECURITY;
CREATE POLICY scoped ON bookings USING (app_sees_all() OR resident_id = ANY (app_residents()));
CREATE POLICY scoped ON orders USING (app_sees_all() OR resident_id = ANY (app_residents())
    OR provider_id = app_uuid('app.provider'));
CREATE POLICY scoped ON order_seats USING (app_sees_all() OR EXISTS (SELECT FROM orders o WHERE o.id = order_id));
CREATE POLICY scoped ON order_links USING (app_sees_all() OR EXISTS (SELECT FROM orders o WHERE o.id = before_id));
CREATE POLICY scoped ON offers USING (app_sees_all() OR provider_id = app_uuid('app.provider'));
CREATE POLICY scoped ON visit_records USING (app_sees_all() OR worker_id = app_uuid('app.worker')
    OR EXISTS (SELECT FROM orders o WHERE o.id = order_id));
CREATE POLICY scoped ON assignments USING (app_sees_all() OR worker_id = app_uuid('app.worker')
    OR EXISTS (SELECT FROM orders o WHERE o.id = order_id));
CREATE POLICY scoped ON stops USING (app_sees_all() OR worker_id = app_uuid('app.worker')
    OR EXISTS (SELECT FROM orders o WHERE o.id = order_id));
CREATE POLICY system_only ON timers USING (app_role() = 'system');
"""


def upgrade() -> None:
    """Create what the first line says."""
    run_sql(SQL)
