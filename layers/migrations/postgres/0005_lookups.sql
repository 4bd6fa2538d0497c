CREATE TABLE platform_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CONSTRAINT platform_keys_digest_key UNIQUE (digest)
);
GRANT SELECT (id, digest, revoked_at) ON platform_keys TO tenancy_lookup;

-- What must be found before a tenant is known. The look-up role owns these functions: policies let it read, it
-- cannot log in, and each answer is as narrow as the authorizer's question.
CREATE FUNCTION find_api_key(
    wanted bytea,
    OUT credential_id uuid, OUT organization_id uuid, OUT subdomain text, OUT tier text, OUT status text,
    OUT gateway_key text, OUT scopes text[], OUT expires_at timestamptz
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT k.id, o.id, o.subdomain, o.tier, o.status, o.gateway_key, k.scopes, k.expires_at
        FROM public.api_keys AS k JOIN public.organizations AS o ON o.id = k.organization_id
        WHERE k.digest = wanted AND k.revoked_at IS NULL AND o.status <> 'erased'
    $$;

CREATE FUNCTION find_member(
    wanted_organization uuid, wanted_user uuid,
    OUT credential_id uuid, OUT organization_id uuid, OUT subdomain text, OUT tier text, OUT status text,
    OUT gateway_key text, OUT role text, OUT epoch text
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT u.id, o.id, o.subdomain, o.tier, o.status, o.gateway_key, u.role,
               o.token_epoch::text || '.' || u.token_epoch::text
        FROM public.users AS u JOIN public.organizations AS o ON o.id = u.organization_id
        WHERE u.organization_id = wanted_organization AND u.id = wanted_user AND u.status = 'active'
          AND o.status IN ('active', 'suspended')
    $$;

CREATE FUNCTION find_platform_key(wanted bytea, OUT credential_id uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT k.id FROM public.platform_keys AS k WHERE k.digest = wanted AND k.revoked_at IS NULL $$;

REVOKE ALL ON FUNCTION find_api_key(bytea), find_member(uuid, uuid), find_platform_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_api_key(bytea), find_member(uuid, uuid), find_platform_key(bytea) TO tenancy_functions;

GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- needed to become an owner, taken back below
ALTER FUNCTION find_api_key(bytea) OWNER TO tenancy_lookup;
ALTER FUNCTION find_member(uuid, uuid) OWNER TO tenancy_lookup;
ALTER FUNCTION find_platform_key(bytea) OWNER TO tenancy_lookup;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;
