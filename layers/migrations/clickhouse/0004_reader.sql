-- 0004 to 0007 are the third wall, on servers that let us manage access: the user of the secret clickhouse-reader is
-- granted this role alone (docs/operations.md).
CREATE ROLE IF NOT EXISTS tenancy_reader
