"""Who cannot type a code signs in with a card that the desk has printed: once, within a day."""

from migrations.support import run_sql

revision, down_revision = "0050", "0049"

SQL = """
SELECT set_config('app.role', 'system', true);

-- Machine time, as all that proves a person. Neither what the picture holds nor the digits stand here, only their hashes.
CREATE TABLE sign_in_cards (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    account_id uuid NOT NULL REFERENCES accounts,    -- who comes in with it
    token_hash bytea NOT NULL CONSTRAINT sign_in_cards_token_once UNIQUE,
    digits_hash bytea NOT NULL CONSTRAINT sign_in_cards_digits_once UNIQUE,    -- keyed: eleven digits alone could be guessed from it
    printed_by uuid NOT NULL REFERENCES accounts,
    printed_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz,    -- another was printed, or everybody was signed out
    CONSTRAINT sign_in_cards_hashes CHECK (octet_length(token_hash) = 32 AND octet_length(digits_hash) = 32)
);
CREATE UNIQUE INDEX sign_in_cards_one_open ON sign_in_cards (account_id) WHERE used_at IS NULL AND revoked_at IS NULL;
CREATE INDEX sign_in_cards_by_age ON sign_in_cards (printed_at);
ALTER TABLE sign_in_cards ENABLE ROW LEVEL SECURITY;
ALTER TABLE sign_in_cards FORCE ROW LEVEL SECURITY;
CREATE POLICY by_the_platform ON sign_in_cards USING (app_role() = 'system') WITH CHECK (app_role() = 'system');
GRANT SELECT, INSERT, DELETE, UPDATE (used_at, revoked_at) ON sign_in_cards TO yinling_app;

INSERT INTO rule_parameters (code, valid_from, value, unit, text_en, source, verified) VALUES
    ('sign_in_card_valid_h', '2020-01-01', 24, 'h', 'A printed sign-in card lets somebody in for this long, once.',
        'judgement of the project: time to carry it home and ask a grandchild', false),
    ('keep_sign_in_cards_days', '2020-01-01', 2, 'd', 'What is known of a printed sign-in card is kept this long.',
        'judgement of the project: no longer than a code; who printed one stays in the audit', false)
ON CONFLICT DO NOTHING;

SELECT refuse_infinities();
"""


def upgrade() -> None:
    """Make what the first line says."""
    run_sql(SQL)
