-- Reports of compliance (docs/decisions/0079-compliance-reports.md).
--
-- The entries of operators in all audit logs, newest first. A large audit log has the index before the deploy
-- (docs/operations.md, "Upgrade a database with many rows").
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass('public.audit_log_operators')
    ) THEN
        RAISE EXCEPTION 'The index audit_log_operators is invalid. Drop it, and make it again.';
    END IF;
END
$$;
CREATE INDEX IF NOT EXISTS audit_log_operators ON audit_log (occurred_at DESC, id DESC) WHERE actor_kind = 'operator';

-- The events by which counters and statistics of all organizations differed from the stored rows in a run. Null in a
-- run that did not measure them.
ALTER TABLE roll_ups ADD COLUMN counter_drift bigint, ADD COLUMN statistics_drift bigint;
GRANT UPDATE (counter_drift, statistics_drift) ON roll_ups TO tenancy_platform;

-- Policies show the platform the keys of one organization only, as in 0026. The look-up role answers with the number of
-- keys that are overdue for a rotation and the age of the oldest one, by organization.
GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- for the new function, taken back below
SET LOCAL ROLE tenancy_lookup; -- the owner of the look-ups
CREATE FUNCTION list_overdue_keys(
    due_at timestamptz, maximum integer, OUT organization_id uuid, OUT keys bigint, OUT oldest_created_at timestamptz
)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT k.organization_id, count(*), min(k.created_at)
        FROM public.api_keys AS k JOIN public.organizations AS o ON o.id = k.organization_id
        WHERE k.revoked_at IS NULL AND k.replaced_by IS NULL AND (k.expires_at IS NULL OR k.expires_at > due_at)
          AND o.status IN ('active', 'suspended')
          AND k.created_at + make_interval(hours => 24 * o.key_rotation_days) <= due_at
        GROUP BY k.organization_id ORDER BY min(k.created_at), k.organization_id LIMIT maximum
    $$;
REVOKE ALL ON FUNCTION list_overdue_keys(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION list_overdue_keys(timestamptz, integer) TO tenancy_platform;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;
