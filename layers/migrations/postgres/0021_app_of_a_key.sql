-- An event carries the app of its write key (docs/decisions/0049-apps-count.md), so the look-up of a key returns it.
-- Statements of the release before name the other columns, and work on.
-- The look-up table (0019) finds the key, and the key's own row decides. A digest that is listed by mistake is no
-- credential.
GRANT SELECT (app_id) ON api_keys TO tenancy_lookup;

GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- for the new function, taken back below
SET LOCAL ROLE tenancy_lookup; -- the owner of the look-ups
DROP FUNCTION find_key_holder(bytea); -- the columns of a function cannot be replaced
CREATE FUNCTION find_key_holder(
    wanted bytea,
    OUT credential_id uuid, OUT organization_id uuid, OUT subdomain text, OUT tier text, OUT gateway_key text,
    OUT scopes text[], OUT expires_at timestamptz, OUT app_id uuid
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT k.id, o.id, o.subdomain, o.tier, o.gateway_key, k.scopes, k.expires_at, k.app_id
        FROM public.key_digests AS d
        JOIN public.api_keys AS k ON k.organization_id = d.organization_id AND k.id = d.key_id
        JOIN public.organizations AS o ON o.id = d.organization_id
        WHERE d.digest = wanted AND k.digest = wanted AND k.revoked_at IS NULL AND o.status <> 'erased'
    $$;
REVOKE ALL ON FUNCTION find_key_holder(bytea) FROM PUBLIC;
-- tenancy_functions may execute it as long as functions of the release before run (0016).
GRANT EXECUTE ON FUNCTION find_key_holder(bytea) TO tenancy_functions, tenancy_authorizer;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;
