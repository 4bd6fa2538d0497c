-- How an organization stands, admission asks at every request; the authorizer need not know. find_api_key and
-- find_member stay for the functions of the release before, which run until this one is deployed; nothing calls them.
CREATE FUNCTION find_key_holder(
    wanted bytea,
    OUT credential_id uuid, OUT organization_id uuid, OUT subdomain text, OUT tier text, OUT gateway_key text,
    OUT scopes text[], OUT expires_at timestamptz
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT k.id, o.id, o.subdomain, o.tier, o.gateway_key, k.scopes, k.expires_at
        FROM public.api_keys AS k JOIN public.organizations AS o ON o.id = k.organization_id
        WHERE k.digest = wanted AND k.revoked_at IS NULL AND o.status <> 'erased'
    $$;

CREATE FUNCTION find_person(
    wanted_organization uuid, wanted_user uuid,
    OUT credential_id uuid, OUT organization_id uuid, OUT subdomain text, OUT tier text, OUT gateway_key text,
    OUT role text, OUT epoch text
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT u.id, o.id, o.subdomain, o.tier, o.gateway_key, u.role,
               o.token_epoch::text || '.' || u.token_epoch::text
        FROM public.users AS u JOIN public.organizations AS o ON o.id = u.organization_id
        WHERE u.organization_id = wanted_organization AND u.id = wanted_user AND u.status = 'active'
          AND o.status IN ('active', 'suspended')
    $$;

REVOKE ALL ON FUNCTION find_key_holder(bytea), find_person(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_key_holder(bytea), find_person(uuid, uuid) TO tenancy_functions;

GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- needed to become an owner, taken back below
ALTER FUNCTION find_key_holder(bytea) OWNER TO tenancy_lookup;
ALTER FUNCTION find_person(uuid, uuid) OWNER TO tenancy_lookup;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;
