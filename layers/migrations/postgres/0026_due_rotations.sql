-- Policies show the platform the keys of one organization only. The roll-up needs to know which organizations have a key
-- that is to be rotated and was not noticed. The look-up role answers with their ids alone, oldest key first.
GRANT SELECT (created_at, replaced_by, rotation_noticed_at) ON api_keys TO tenancy_lookup;
GRANT SELECT (key_rotation_days) ON organizations TO tenancy_lookup;

GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- for the new function, taken back below
SET LOCAL ROLE tenancy_lookup; -- the owner of the look-ups
CREATE FUNCTION list_due_rotations(due_at timestamptz, maximum integer, OUT organization_id uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT k.organization_id
        FROM public.api_keys AS k JOIN public.organizations AS o ON o.id = k.organization_id
        WHERE k.rotation_noticed_at IS NULL AND k.revoked_at IS NULL AND k.replaced_by IS NULL
          AND (k.expires_at IS NULL OR k.expires_at > due_at) AND o.status IN ('active', 'suspended')
          AND k.created_at + make_interval(hours => 24 * o.key_rotation_days) <= due_at
        GROUP BY k.organization_id ORDER BY min(k.created_at), k.organization_id LIMIT maximum
    $$;
REVOKE ALL ON FUNCTION list_due_rotations(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION list_due_rotations(timestamptz, integer) TO tenancy_platform;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;
