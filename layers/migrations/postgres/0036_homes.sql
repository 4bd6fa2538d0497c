-- Several databases, each with the rows of some organizations (docs/decisions/0083-homes-of-organizations.md). With one
-- database all four tables are empty.
--
-- Organizations whose rows are not in this database, or not yet: the database `other` has them since a move (`moved`),
-- or a move is copying them from there (`incoming`). Each transaction of a tenant reads its row after it has locked its
-- fence.
CREATE TABLE moved_organizations (
    organization_id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('incoming', 'moved')),
    other text NOT NULL CHECK (other ~ '^[a-z][a-z0-9-]{0,31}$'),
    move_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE moved_organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE moved_organizations FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON moved_organizations FOR SELECT TO tenancy_platform USING (true);
CREATE POLICY lookup ON moved_organizations FOR SELECT TO tenancy_lookup USING (true);
GRANT SELECT ON moved_organizations TO tenancy_platform;
GRANT SELECT (organization_id, state, other, move_id) ON moved_organizations TO tenancy_lookup;

-- The directory, in the first database, the catalogue: the database of each bucket, and of each organization that is
-- not in the database of its bucket.
CREATE TABLE bucket_homes (
    bucket integer PRIMARY KEY CHECK (bucket BETWEEN 0 AND 1023),
    database text NOT NULL CHECK (database ~ '^[a-z][a-z0-9-]{0,31}$')
);
GRANT SELECT ON bucket_homes TO tenancy_platform;
GRANT SELECT (bucket, database) ON bucket_homes TO tenancy_lookup;
CREATE TABLE organization_homes (
    organization_id uuid PRIMARY KEY,
    database text NOT NULL CHECK (database ~ '^[a-z][a-z0-9-]{0,31}$')
);
ALTER TABLE organization_homes ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_homes FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON organization_homes FOR SELECT TO tenancy_platform USING (true);
CREATE POLICY lookup ON organization_homes FOR SELECT TO tenancy_lookup USING (true);
GRANT SELECT ON organization_homes TO tenancy_platform;
GRANT SELECT (organization_id, database) ON organization_homes TO tenancy_lookup;

-- A look-up table of the platform, in the catalogue: values that are unique among the organizations of all databases.
-- A value is here before a home has it. It may stay without one until it is claimed again, or its organization erased.
CREATE TABLE catalogue_entries (
    organization_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('key', 'subdomain', 'skeleton', 'email_domain', 'custom_domain')),
    value text NOT NULL,
    claimed_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, kind, value),
    CONSTRAINT catalogue_entries_value_key UNIQUE (kind, value)
);
ALTER TABLE catalogue_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE catalogue_entries FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON catalogue_entries TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY lookup ON catalogue_entries FOR SELECT TO tenancy_lookup USING (true);
GRANT SELECT, INSERT, DELETE ON catalogue_entries TO tenancy_platform;
GRANT UPDATE (organization_id, claimed_at) ON catalogue_entries TO tenancy_platform;
GRANT SELECT (organization_id, kind, value) ON catalogue_entries TO tenancy_lookup;
ALTER TABLE catalogue_entries ALTER COLUMN value SET STATISTICS 0; -- no values in pg_statistic, as in 0013

GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- for the new functions, taken back below
SET LOCAL ROLE tenancy_lookup; -- the owner of the look-ups
-- The move of the running transaction's tenant, if its rows are not in this database.
CREATE FUNCTION find_current_move(OUT state text, OUT other text, OUT move_id uuid) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT m.state, m.other, m.move_id FROM public.moved_organizations AS m
        WHERE m.organization_id = public.current_tenant()
    $$;
CREATE FUNCTION find_home(wanted_organization uuid, wanted_bucket integer, OUT database text) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT coalesce(
            (SELECT h.database FROM public.organization_homes AS h WHERE h.organization_id = wanted_organization),
            (SELECT b.database FROM public.bucket_homes AS b WHERE b.bucket = wanted_bucket)
        )
    $$;
CREATE FUNCTION find_catalogue_entries(
    wanted_kind text, wanted_values text[], OUT value text, OUT organization_id uuid
)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT c.value, c.organization_id FROM public.catalogue_entries AS c
        WHERE c.kind = wanted_kind AND c.value = ANY (wanted_values)
    $$;
REVOKE ALL ON FUNCTION find_current_move(), find_home(uuid, integer), find_catalogue_entries(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_current_move(), find_home(uuid, integer), find_catalogue_entries(text, text[])
    TO tenancy_functions, tenancy_platform, tenancy_authorizer;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;

-- Statements that cross organizations see no row of an organization that is not here. Its own transactions, which have
-- read moved_organizations themselves, see it. Each table in which the platform or a look-up sees more than the rows of
-- its tenant has the policy. Answers for Idempotency-Key stay in the catalogue. NOT EXISTS can use the primary key, so
-- that a statement stays quick however many organizations have moved.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT DISTINCT p.polrelid::regclass AS name,
               CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END AS organization
        FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
        WHERE p.polpermissive AND p.polroles && ARRAY['tenancy_platform', 'tenancy_lookup']::regrole[]::oid[]
          AND pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM
              '(organization_id = ( SELECT current_tenant() AS current_tenant))'
          AND c.relname NOT IN (
              'moved_organizations', 'organization_homes', 'catalogue_entries', 'provisioning_requests'
          )
    LOOP
        EXECUTE format(
            'CREATE POLICY home ON %1$s AS RESTRICTIVE TO tenancy_platform, tenancy_lookup USING ('
            '%2$I = (SELECT current_tenant()) OR NOT EXISTS ('
            'SELECT FROM moved_organizations AS m WHERE m.organization_id = %1$s.%2$I))',
            found.name, found.organization
        );
    END LOOP;
END
$$;

-- A move leaves the log of the platform where it is. So an erasure deletes the addresses of its organization's people
-- there as well, in a transaction of that organization, which has no row here any more. Without a move it is as before.
ALTER POLICY only_ending ON audit_people USING (
    (organization_id = (SELECT current_tenant()) OR organization_id = '00000000-0000-0000-0000-000000000000')
    AND (SELECT is_ending((SELECT current_tenant())))
    OR organization_id = '00000000-0000-0000-0000-000000000000' AND EXISTS (
        SELECT FROM moved_organizations AS m WHERE m.organization_id = (SELECT current_tenant()) AND m.state = 'moved'
    )
);
