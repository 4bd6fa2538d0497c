-- Organizations manage their keys themselves (docs/decisions/0056-managed-keys.md). A key ends at expires_at, also after
-- a rotation with an overlap. A secret key may belong to an app. Keys of earlier releases have no prefix.
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_write_key_has_app,
    ADD CONSTRAINT api_keys_write_key_has_app CHECK (type <> 'wk' OR app_id IS NOT NULL),
    ADD COLUMN prefix text CHECK (length(prefix) = 8),
    ADD COLUMN last_used_at timestamptz, -- to the hour
    ADD COLUMN replaced_by uuid, -- the key that a rotation made
    ADD COLUMN rotation_noticed_at timestamptz;
GRANT UPDATE (expires_at, revoked_at, last_used_at, replaced_by, rotation_noticed_at) ON api_keys TO tenancy_platform;
GRANT UPDATE (name, platform, status) ON apps TO tenancy_platform;

-- After so many days a key is to be rotated. NULL: never.
ALTER TABLE organizations
    ADD COLUMN key_rotation_days integer DEFAULT 90 CHECK (key_rotation_days BETWEEN 1 AND 3650);

ALTER TABLE platform_keys
    ADD COLUMN prefix text CHECK (length(prefix) = 8),
    ADD COLUMN hint text,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN last_used_at timestamptz, -- to the hour
    ADD COLUMN replaced_by uuid, -- the key that a rotation made
    ADD COLUMN rotation_noticed_at timestamptz;
GRANT SELECT (
    id, name, prefix, hint, created_at, expires_at, revoked_at, last_used_at, replaced_by, rotation_noticed_at
) ON platform_keys TO tenancy_platform; -- not the digest
GRANT INSERT (id, name, digest, prefix, hint, created_at, expires_at) ON platform_keys TO tenancy_platform;
GRANT UPDATE (expires_at, revoked_at, last_used_at, replaced_by, rotation_noticed_at)
    ON platform_keys TO tenancy_platform;
GRANT SELECT (expires_at) ON platform_keys TO tenancy_lookup;

-- The look-ups return the end of a platform key. The id is the first column, as for functions of the release before.
GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- for the new functions, taken back below
SET LOCAL ROLE tenancy_lookup; -- the owner of the look-ups
DROP FUNCTION find_platform_key(bytea), find_live_platform_key(uuid); -- columns of a function cannot be replaced
CREATE FUNCTION find_platform_key(wanted bytea, OUT credential_id uuid, OUT expires_at timestamptz)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT k.id, k.expires_at FROM public.platform_keys AS k WHERE k.digest = wanted AND k.revoked_at IS NULL
    $$;
CREATE FUNCTION find_live_platform_key(wanted uuid, OUT credential_id uuid, OUT expires_at timestamptz)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT k.id, k.expires_at FROM public.platform_keys AS k WHERE k.id = wanted AND k.revoked_at IS NULL $$;
REVOKE ALL ON FUNCTION find_platform_key(bytea), find_live_platform_key(uuid) FROM PUBLIC;
-- tenancy_functions may look keys up as long as functions of the release before run (0016).
GRANT EXECUTE ON FUNCTION find_platform_key(bytea) TO tenancy_functions, tenancy_authorizer;
GRANT EXECUTE ON FUNCTION find_live_platform_key(uuid) TO tenancy_functions, tenancy_platform;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;

-- Requests with an Idempotency-Key, but for those that provision: the answer may hold a key, so KMS has encrypted it. It
-- is committed with the change, and deleted after a day.
CREATE TABLE idempotent_requests (
    organization_id uuid NOT NULL, -- that of the platform's log for platform keys
    credential_id uuid NOT NULL,
    key_digest bytea NOT NULL CHECK (length(key_digest) = 32),
    request_digest bytea NOT NULL CHECK (length(request_digest) = 32),
    answer bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, credential_id, key_digest)
);
CREATE INDEX idempotent_requests_created_at ON idempotent_requests (created_at);
ALTER TABLE idempotent_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotent_requests FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON idempotent_requests TO tenancy_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON idempotent_requests TO tenancy_platform;

-- No values in pg_statistic, as in 0013.
ALTER TABLE api_keys ALTER COLUMN prefix SET STATISTICS 0;
ALTER TABLE idempotent_requests
    ALTER COLUMN key_digest SET STATISTICS 0, ALTER COLUMN request_digest SET STATISTICS 0,
    ALTER COLUMN answer SET STATISTICS 0;
