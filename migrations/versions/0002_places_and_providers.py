"""Zones, places with their travel, providers, facilities, the catalogue and the care rules."""

from migrations.support import run_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SQL = """
CREATE TABLE zones (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    code text NOT NULL CONSTRAINT zones_code_once UNIQUE,
    name text NOT NULL,
    travel_kind text NOT NULL,
    travel jsonb NOT NULL DEFAULT '{}',   -- speeds in metres per second by mode, road factor, or place ids of the matrix
    CONSTRAINT zones_travel_kind CHECK (travel_kind IN ('road_factor', 'plane', 'matrix'))
);

CREATE TABLE places (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    geometry text NOT NULL,
    x double precision NOT NULL DEFAULT 0,   -- WGS-84 longitude in degrees, or metres east on a plane
    y double precision NOT NULL DEFAULT 0,   -- WGS-84 latitude in degrees, or metres north on a plane
    CONSTRAINT places_geometry CHECK (geometry IN ('wgs84', 'plane', 'none'))
);

-- Travel a zone states itself, in seconds, may be asymmetric; row and column order is `place_ids`.
CREATE TABLE travel_matrices (
    zone_id uuid PRIMARY KEY REFERENCES zones,
    place_ids uuid[] NOT NULL,
    seconds integer[] NOT NULL,
    CONSTRAINT travel_matrices_square CHECK (cardinality(seconds) = cardinality(place_ids) * cardinality(place_ids))
);

CREATE TABLE providers (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    name text NOT NULL,
    phone text NOT NULL,
    stars smallint NOT NULL DEFAULT 3,
    opens_at time NOT NULL DEFAULT '07:00',
    closes_at time NOT NULL DEFAULT '20:00',
    auto_accept boolean NOT NULL DEFAULT false,
    offer_expiry_s integer NOT NULL DEFAULT 600,
    active boolean NOT NULL DEFAULT true,
    CONSTRAINT providers_stars CHECK (stars BETWEEN 1 AND 5),
    CONSTRAINT providers_offer_expiry CHECK (offer_expiry_s BETWEEN 10 AND 86400)
);

CREATE TABLE provider_zones (
    provider_id uuid NOT NULL REFERENCES providers,
    zone_id uuid NOT NULL REFERENCES zones,
    PRIMARY KEY (provider_id, zone_id)
);

CREATE TABLE facilities (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    provider_id uuid REFERENCES providers,
    zone_id uuid NOT NULL REFERENCES zones,
    place_id uuid NOT NULL REFERENCES places,
    kind text NOT NULL,
    name text NOT NULL,
    district_code text NOT NULL,
    street_code text NOT NULL,
    community_code text NOT NULL,
    CONSTRAINT facilities_kind CHECK (kind IN ('meal_point', 'day_care_centre'))
);

CREATE TABLE catalogue_items (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    code text NOT NULL CONSTRAINT catalogue_items_code_once UNIQUE,
    kind text NOT NULL,
    name text NOT NULL,
    name_en text NOT NULL,
    CONSTRAINT catalogue_items_kind CHECK (kind IN ('meal', 'bath', 'rehab', 'care'))
);

CREATE TABLE catalogue_versions (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    item_id uuid NOT NULL REFERENCES catalogue_items,
    version integer NOT NULL,
    valid_from date NOT NULL,
    price_fen bigint NOT NULL,
    slot_s integer NOT NULL DEFAULT 1800,        -- length of the start window promised, seconds
    acceptance boolean NOT NULL DEFAULT true,    -- whether the resident confirms afterwards
    rules text[] NOT NULL DEFAULT '{}',          -- codes of the care rules that bind it
    CONSTRAINT catalogue_versions_once UNIQUE (item_id, version),
    CONSTRAINT catalogue_versions_price CHECK (price_fen >= 0)
);

-- The crew by ability band: how many seats, for how long, with which skills.
CREATE TABLE catalogue_seats (
    version_id uuid NOT NULL REFERENCES catalogue_versions,
    ability_from smallint NOT NULL,
    ability_to smallint NOT NULL,
    number smallint NOT NULL,
    skills text[] NOT NULL,
    duration_s integer NOT NULL,
    gender_rule text NOT NULL DEFAULT 'any',
    PRIMARY KEY (version_id, ability_from, number),
    CONSTRAINT catalogue_seats_band CHECK (ability_from <= ability_to AND ability_from >= 0),
    CONSTRAINT catalogue_seats_number CHECK (number BETWEEN 1 AND 4),
    CONSTRAINT catalogue_seats_duration CHECK (duration_s > 0),
    CONSTRAINT catalogue_seats_gender CHECK (gender_rule IN ('any', 'same'))
);

-- Care rules, limits and radii are data with a source; `verified` false means nobody has checked the source.
CREATE TABLE rule_parameters (
    code text NOT NULL,
    region text NOT NULL DEFAULT '*',
    valid_from date NOT NULL,
    valid_to date,
    value double precision NOT NULL,
    unit text NOT NULL,
    text_en text NOT NULL,
    source text NOT NULL,
    verified boolean NOT NULL DEFAULT false,
    PRIMARY KEY (code, region, valid_from)
);
"""


def upgrade() -> None:
    """Create what the first line says."""
    run_sql(SQL)
