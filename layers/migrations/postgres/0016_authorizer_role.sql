-- tenancy_authorizer logs in for the authorizer, and for ingest's look-up of write keys. It executes the look-ups of
-- credentials, and reads no table. The operator makes the role before the deploy (docs/operations.md).
--
-- tenancy_functions may still execute the look-ups, because functions of the release before run until this one is
-- deployed. The next release takes that right away; a test in tests/isolation demands it.
GRANT USAGE ON SCHEMA public TO tenancy_authorizer;

GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- for the new function, taken back below
SET LOCAL ROLE tenancy_lookup; -- the owner of the look-ups
GRANT EXECUTE ON FUNCTION find_key_holder(bytea), find_person(uuid, uuid), find_platform_key(bytea)
    TO tenancy_authorizer;

-- Admission asks whether a platform key is still live, at each request of an operator. The id is no credential.
CREATE FUNCTION find_live_platform_key(wanted uuid, OUT credential_id uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT k.id FROM public.platform_keys AS k WHERE k.id = wanted AND k.revoked_at IS NULL $$;
REVOKE ALL ON FUNCTION find_live_platform_key(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_live_platform_key(uuid) TO tenancy_functions, tenancy_platform;

-- Look-ups of 0005 that 0012 replaced. No release that can run beside this one calls them.
DROP FUNCTION find_api_key(bytea), find_member(uuid, uuid);
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;
