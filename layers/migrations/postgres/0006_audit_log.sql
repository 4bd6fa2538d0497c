-- What was done, by whom: written once, sealed into a chain per organization by the sweep (decision 10). The nil UUID
-- is the platform's own log, so organization_id references nothing; a log also outlives its organization.
CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('operator', 'person', 'key')),
    actor_id uuid NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    code text NOT NULL,
    count integer NOT NULL CHECK (count > 0),
    request_id text NOT NULL,
    personal_digest bytea NOT NULL CHECK (length(personal_digest) = 32),
    sequence bigint CHECK (sequence > 0),
    seal bytea CHECK (length(seal) = 32),
    CONSTRAINT audit_log_organization_id_id_key UNIQUE (organization_id, id),
    CONSTRAINT audit_log_organization_id_sequence_key UNIQUE (organization_id, sequence),
    CONSTRAINT audit_log_is_sealed_at_once CHECK ((sequence IS NULL) = (seal IS NULL))
);
CREATE INDEX audit_log_organization_id_occurred_at ON audit_log (organization_id, occurred_at DESC, id DESC);
CREATE INDEX audit_log_unsealed ON audit_log (organization_id, occurred_at, id) WHERE sequence IS NULL;

-- The personal values of a record, with the salt of their digest: erasing a row leaves the chain whole.
CREATE TABLE audit_people (
    organization_id uuid NOT NULL,
    record_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    salt bytea NOT NULL,
    source_address text NOT NULL,
    PRIMARY KEY (organization_id, record_id),
    CONSTRAINT audit_people_record_fkey FOREIGN KEY (organization_id, record_id)
        REFERENCES audit_log (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX audit_people_organization_id_actor_id ON audit_people (organization_id, actor_id);

-- The last seal of each log: where the next one goes on, and what a cut at the end would contradict.
CREATE TABLE audit_heads (
    organization_id uuid PRIMARY KEY,
    sequence bigint NOT NULL CHECK (sequence > 0),
    seal bytea NOT NULL CHECK (length(seal) = 32)
);

-- Where retention has cut a log, signed; see audit_chain.Checkpoint.
CREATE TABLE audit_checkpoints (
    organization_id uuid NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    seal bytea NOT NULL CHECK (length(seal) = 32),
    cut_before timestamptz NOT NULL,
    signature bytea NOT NULL,
    PRIMARY KEY (organization_id, sequence)
);

-- Refusals wait here until their minute is over and they are counted in one record. A counted one stays, without its
-- personal value, for as long as its message can come again.
CREATE TABLE audit_refusals (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('operator', 'person', 'key')),
    actor_id uuid NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    code text NOT NULL,
    request_id text NOT NULL,
    source_address text NOT NULL,
    counted_at timestamptz
);
CREATE INDEX audit_refusals_organization_id ON audit_refusals (organization_id);
CREATE INDEX audit_refusals_waiting ON audit_refusals (occurred_at) WHERE counted_at IS NULL;
CREATE INDEX audit_refusals_counted_at ON audit_refusals (counted_at);
