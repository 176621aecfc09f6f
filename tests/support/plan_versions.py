"""A guard within every test city: whoever changes what planning reads raises the version of its plan in the same transaction.

Else somebody who has read the plan before writes over it. Tests themselves, who are the owner, write what they like.
"""

from typing import Final

from backend.database.pool import Connection
from backend.processes.embedded import APP

_GUARD: Final = f"""
CREATE FUNCTION judge_note_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM set_config('judge.raised', concat(current_setting('judge.raised', true), NEW.id, NEW.zone_id, NEW.plan_on), true);
    RETURN NULL;
END $$;
CREATE TRIGGER judge_note_version AFTER UPDATE ON plans FOR EACH ROW WHEN (NEW.version > OLD.version)
    EXECUTE FUNCTION judge_note_version();
CREATE FUNCTION judge_ask_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed jsonb := to_jsonb(coalesce(NEW, OLD));
BEGIN
    IF strpos(coalesce(current_setting('judge.raised', true), ''),
        coalesce(changed ->> 'plan_id', (changed ->> 'zone_id') || (changed ->> 'plan_on'))) = 0 THEN
        RAISE '% changed, and the version of their plan stayed', TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER judge_ask_version
    AFTER INSERT OR DELETE OR UPDATE OF worker_id, place_id, seat, kind, during, active, started ON stops
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (current_user = '{APP}') EXECUTE FUNCTION judge_ask_version();
CREATE CONSTRAINT TRIGGER judge_ask_version AFTER UPDATE ON orders
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (current_user = '{APP}'
        AND (OLD.status, OLD.provider_id, OLD.declined_by, OLD.expired_by)
            IS DISTINCT FROM (NEW.status, NEW.provider_id, NEW.declined_by, NEW.expired_by))
    EXECUTE FUNCTION judge_ask_version();
"""


async def guard_versions(connection: Connection) -> None:
    """Put the guard into a city's database."""
    await connection.execute(_GUARD)
