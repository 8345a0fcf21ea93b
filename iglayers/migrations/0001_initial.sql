-- The whole data model. Times named *_at are the workspace's own time, but for those marked (real).
-- Every tenant table carries workspace_id, first in its unique indexes.

-- ── installation and accounts ────────────────────────────────────────────────────────────────────────────

CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL DEFAULT 1,
    dispatch text NOT NULL DEFAULT 'running' CHECK (dispatch IN ('running', 'paused')),
    dispatch_reason text,
    pepper bytea NOT NULL,                          -- encrypted; keys contacts.handle_hash; never changed
    setup_token_hash bytea,                         -- one-time link that creates the first user
    created_at timestamptz NOT NULL DEFAULT now()   -- (real)
);

CREATE TABLE workspaces (
    id uuid PRIMARY KEY,
    pair_id uuid NOT NULL,                          -- the live and the test workspace made together
    name text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('live', 'test')),
    monthly_limit integer CHECK (monthly_limit >= 0),
    timezone text NOT NULL DEFAULT 'UTC',
    first_contact_scope text NOT NULL DEFAULT 'client' CHECK (first_contact_scope IN ('client', 'workspace')),
    retention_days integer NOT NULL DEFAULT 365 CHECK (retention_days > 0),
    -- The clock: clock_at + (real now - clock_real_at) * clock_speed. Live workspaces run on real time.
    clock_real_at timestamptz NOT NULL DEFAULT now(),
    clock_at timestamptz NOT NULL DEFAULT now(),
    clock_speed double precision NOT NULL DEFAULT 1 CHECK (clock_speed >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (mode = 'test' OR (clock_speed = 1 AND clock_at = clock_real_at)),
    UNIQUE (pair_id, mode)
);

-- A workspace is listed here when something changed that the plans of its running campaigns depend on.
CREATE TABLE wakeups (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces
);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()   -- (real)
);

CREATE TABLE members (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'operator', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),  -- (real)
    PRIMARY KEY (workspace_id, user_id)
);

CREATE TABLE invitations (
    token_hash bytea PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    role text NOT NULL CHECK (role IN ('owner', 'operator', 'viewer')),
    expires_at timestamptz NOT NULL,                -- (real)
    used_at timestamptz                             -- (real)
);

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    looks_at uuid NOT NULL REFERENCES workspaces,   -- the workspace that is shown
    created_at timestamptz NOT NULL DEFAULT now(),  -- (real)
    seen_at timestamptz NOT NULL DEFAULT now()      -- (real)
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Logins that failed, by e-mail (of a user or of nobody) and by address. Lost in a crash without harm.
CREATE UNLOGGED TABLE login_failures (
    key_hash bytea PRIMARY KEY,
    failed integer NOT NULL,
    last_at timestamptz NOT NULL                    -- (real)
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    name text NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    last4 text NOT NULL,
    scopes text[] NOT NULL,
    client_id uuid,                                 -- bound to one client; REFERENCES clients, added below
    addresses text[] NOT NULL DEFAULT '{}',         -- networks that it may be used from; empty: all
    expires_at timestamptz,                         -- (real)
    revoked_at timestamptz,                         -- (real)
    last_used_at timestamptz,                       -- (real)
    created_at timestamptz NOT NULL DEFAULT now()   -- (real)
);

-- When the key's bucket would be full again (GCRA). Lost in a crash without harm, so not worth a log entry.
CREATE UNLOGGED TABLE rate_limits (
    key_id uuid PRIMARY KEY,
    full_at timestamptz NOT NULL,                   -- (real)
    granted integer NOT NULL                        -- calls given by the last lease
);

CREATE TABLE idempotency_keys (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    body bytea NOT NULL,                            -- encrypted: it may hold a secret
    created_at timestamptz NOT NULL DEFAULT now(),  -- (real)
    PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- (real)
    actor text NOT NULL,                            -- a key's, user's or the system's name
    action text NOT NULL,                           -- noun.verb
    object_id text NOT NULL,
    before jsonb,
    after jsonb,
    reason text,
    request_id text,
    contact_id uuid                                 -- so that erasure finds it
);
CREATE INDEX audit_log_by_workspace ON audit_log (workspace_id, id);
CREATE INDEX audit_log_by_object ON audit_log (workspace_id, object_id);
CREATE INDEX audit_log_by_contact ON audit_log (contact_id) WHERE contact_id IS NOT NULL;

-- ── events and webhooks ──────────────────────────────────────────────────────────────────────────────────
-- Partitioned by month on their UUIDv7 and dropped after retention; no foreign keys between them.

CREATE SEQUENCE event_sequence CACHE 1;

CREATE TABLE events (
    id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    type text NOT NULL,
    created_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    client_id uuid,
    campaign_id uuid,
    contact_id uuid,
    data json NOT NULL,                             -- the exact text that is signed and shown
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX events_feed ON events (workspace_id, tx, id);

CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    client_id uuid,                                 -- made by a key that is bound to this client: hears of no other
    url text NOT NULL,
    description text NOT NULL DEFAULT '',
    events text[] NOT NULL CHECK (cardinality(events) > 0),  -- names, or '*' alone
    max_per_second integer CHECK (max_per_second > 0),
    secret bytea NOT NULL,                          -- encrypted
    previous_secret bytea,                          -- encrypted; signs beside the new one until the overlap ends
    previous_until timestamptz,                     -- (real)
    state text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
    disabled_reason text,
    disabled_at timestamptz,                        -- (real)
    failing_since timestamptz,                      -- (real) first failure after the last success
    due_at timestamptz,                             -- (real) of the earliest delivery that waits for a moment
    lease_id uuid,                                  -- the worker that delivers to it; at most one
    lease_until timestamptz,                        -- (real)
    attempt_ids uuid[] NOT NULL DEFAULT '{}',       -- what that worker has taken and not yet written down,
    attempted_ids uuid[] NOT NULL DEFAULT '{}',     -- and of which deliveries
    created_at timestamptz NOT NULL,                -- (real)
    updated_at timestamptz NOT NULL,                -- (real)
    CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL) AND (state = 'disabled') = (disabled_at IS NOT NULL)),
    CHECK ((previous_secret IS NULL) = (previous_until IS NULL)),
    CHECK ((lease_id IS NULL) = (lease_until IS NULL)),
    CHECK (cardinality(attempt_ids) = cardinality(attempted_ids))
);
CREATE INDEX webhook_endpoints_by_workspace ON webhook_endpoints (workspace_id, id);
CREATE INDEX webhook_endpoints_due ON webhook_endpoints (due_at) WHERE state = 'enabled' AND due_at IS NOT NULL;

CREATE TABLE deliveries (
    id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    replay_id uuid,
    cause text NOT NULL DEFAULT 'automatic' CHECK (cause IN ('automatic', 'manual', 'replay', 'test')),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
    tries smallint NOT NULL DEFAULT 0,              -- failures in a row; tells the place in the schedule
    attempts integer NOT NULL DEFAULT 0,            -- of all time
    due_at timestamptz,                             -- (real) null: new, ahead of all that wait for a moment
    status smallint,                                -- of the last attempt
    error text,                                     -- the same
    ended_at timestamptz,                           -- (real)
    PRIMARY KEY (id),
    CHECK ((state = 'pending') = (ended_at IS NULL))
) PARTITION BY RANGE (id);
-- By event: an order that no other index has, or the planner walks the primary key through all that has ended.
CREATE INDEX deliveries_new ON deliveries (endpoint_id, event_id) WHERE state = 'pending' AND due_at IS NULL;
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, due_at) WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX deliveries_by_endpoint ON deliveries (workspace_id, endpoint_id, id);

CREATE TABLE delivery_attempts (
    id uuid NOT NULL,
    workspace_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    cause text NOT NULL CHECK (cause IN ('automatic', 'manual', 'replay', 'test')),
    started_at timestamptz NOT NULL,                -- (real)
    duration_ms integer NOT NULL,
    address text,                                   -- that answered
    status smallint,
    error text,
    response text,
    PRIMARY KEY (delivery_id, id)                   -- the one index there is: each attempt is written under load
) PARTITION BY RANGE (id);

-- "Everything since a moment, once more": written forward in parts, each in one transaction with its mark.
CREATE TABLE webhook_replays (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoints ON DELETE CASCADE,
    since timestamptz NOT NULL,                     -- the workspace's time
    types text[],
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'completed', 'cancelled')),
    floor_id uuid NOT NULL,                         -- events from this id on,
    last_tx xid8 NOT NULL DEFAULT pg_current_xact_id(),  -- of transactions older than the replay's own
    mark_tx xid8,                                   -- the last event that was queued
    mark_id uuid,
    total integer NOT NULL,
    queued integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,                -- (real)
    ended_at timestamptz,                           -- (real)
    CHECK ((state = 'running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX webhook_replays_running ON webhook_replays (endpoint_id) WHERE state = 'running';
CREATE INDEX webhook_replays_by_endpoint ON webhook_replays (workspace_id, endpoint_id, id);

-- The one way events come to be: in the transaction of the changes that they tell of, while the rows of the
-- objects they are about are locked, so that the sequence grows for each object. Their deliveries come with them; no
-- endpoint is locked or changed, so writers do not wait for each other.
CREATE FUNCTION record_events(
    event_ids uuid[], of_workspaces uuid[], event_types text[], moments timestamptz[],
    of_clients uuid[], of_campaigns uuid[], of_contacts uuid[], event_data json[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO events (id, workspace_id, type, created_at, sequence, client_id, campaign_id, contact_id, data)
    SELECT each.id, each.workspace_id, each.type, each.moment, nextval('event_sequence'),
           each.client_id, each.campaign_id, each.contact_id, each.data
    FROM unnest(event_ids, of_workspaces, event_types, moments, of_clients, of_campaigns, of_contacts, event_data)
        AS each (id, workspace_id, type, moment, client_id, campaign_id, contact_id, data);
    INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id)
    SELECT delivery_id(each.id), each.workspace_id, e.id, each.id
    FROM unnest(event_ids, of_workspaces, event_types, of_clients) AS each (id, workspace_id, type, client_id)
    JOIN webhook_endpoints e ON e.workspace_id = each.workspace_id
    WHERE e.state = 'enabled' AND (e.client_id IS NULL OR e.client_id = each.client_id)
      AND (e.events = '{*}' OR each.type = ANY (e.events));
END
$$;

-- One of them.
CREATE FUNCTION record_event(
    event_id uuid, of_workspace uuid, event_type text, moment timestamptz,
    of_client uuid, of_campaign uuid, of_contact uuid, event_data json
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM record_events(ARRAY[event_id], ARRAY[of_workspace], ARRAY[event_type], ARRAY[moment],
                          ARRAY[of_client], ARRAY[of_campaign], ARRAY[of_contact], ARRAY[event_data]);
END
$$;

-- A delivery's id: the moment of its event, and chance.
CREATE FUNCTION delivery_id(of_event uuid) RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (left(of_event::text, 18) || right(gen_random_uuid()::text, 18))::uuid
$$;

-- The smallest UUIDv7 of a moment.
CREATE FUNCTION uuid7_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;

-- A UUIDv7 of this moment, for events that a statement makes many of.
CREATE FUNCTION event_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
        || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14, 3)
        || substr(replace(gen_random_uuid()::text, '-', ''), 17, 16))::uuid
$$;

-- Make the monthly partitions of the event tables from this month on; safe to call again.
CREATE FUNCTION make_event_partitions(from_month date, months integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    month date;
BEGIN
    PERFORM pg_advisory_xact_lock(7301970216);
    FOREACH parent IN ARRAY ARRAY['events', 'deliveries', 'delivery_attempts'] LOOP
        FOR step IN 0 .. months - 1 LOOP
            month := (date_trunc('month', from_month) + make_interval(months => step))::date;
            EXECUTE format(
                'CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                parent || to_char(month, '_YYYY_MM'), parent,
                uuid7_floor(month::timestamp AT TIME ZONE 'UTC'),
                uuid7_floor((month + interval '1 month') AT TIME ZONE 'UTC'));
        END LOOP;
    END LOOP;
END
$$;
SELECT make_event_partitions((now() AT TIME ZONE 'UTC')::date, 3);

-- Drop the partitions whose last moment is before `moment`; how many they were.
CREATE FUNCTION drop_event_partitions(moment timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    -- Readers of the tables are waited for, and everybody waits behind: rather not now than long.
    SET LOCAL lock_timeout = '1s';
    FOR part IN
        SELECT i.inhrelid::regclass AS name
        FROM pg_inherits i
        JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent IN ('events'::regclass, 'deliveries'::regclass, 'delivery_attempts'::regclass)
          -- In a CASE, or the names of other relations may be read as months before they are left out.
          AND CASE WHEN c.relname ~ '_[0-9]{4}_[0-9]{2}$'
                   THEN to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' <= moment AT TIME ZONE 'UTC'
                   ELSE false END
    LOOP
        EXECUTE format('DROP TABLE %s', part.name);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;

-- ── clients, templates, contacts, usage ──────────────────────────────────────────────────────────────────

CREATE TABLE clients (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    name text NOT NULL,
    external_id text,
    metadata jsonb NOT NULL DEFAULT '{}',
    hourly_limit integer CHECK (hourly_limit > 0),
    daily_limit integer CHECK (daily_limit > 0),
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX clients_external_id ON clients (workspace_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX clients_by_workspace ON clients (workspace_id, id);
ALTER TABLE api_keys ADD FOREIGN KEY (client_id) REFERENCES clients;

CREATE TABLE message_templates (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    name text NOT NULL,
    body text NOT NULL,
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX message_templates_by_workspace ON message_templates (workspace_id, id);

CREATE TABLE contacts (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    handle_hash bytea NOT NULL,                     -- HMAC-SHA256(pepper, canonical username)
    username text,                                  -- null after erasure, and where nothing happened for too long
    instagram_id text,
    merged_into uuid REFERENCES contacts,           -- who is left, never somebody who was merged in turn
    erased_at timestamptz,                          -- at the person's wish, for good
    forgotten_at timestamptz,                       -- by retention, until somebody names them again
    created_at timestamptz NOT NULL,
    UNIQUE (workspace_id, handle_hash),
    CHECK (num_nonnulls(username, erased_at, forgotten_at) = 1)
);
CREATE INDEX contacts_merged ON contacts (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE suppressions (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    contact_id uuid NOT NULL REFERENCES contacts,
    client_id uuid REFERENCES clients,              -- null: for the whole workspace
    reason text NOT NULL DEFAULT '',
    source text NOT NULL,                           -- manual, import, opt_out, erasure, or the caller's word
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (workspace_id, contact_id, client_id)
);
CREATE INDEX suppressions_by_workspace ON suppressions (workspace_id, id);

-- The daily look for people in whom nothing has happened for longer than their workspace keeps them.
CREATE TABLE retentions (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces,
    due_at timestamptz NOT NULL,                    -- (real)
    -- the mark of the run on its way: everybody up to this hash has been looked at, so many were forgotten
    after_hash bytea NOT NULL DEFAULT '',
    forgotten integer NOT NULL DEFAULT 0,
    forgotten_ever bigint NOT NULL DEFAULT 0        -- by all runs
);

CREATE TABLE usage_months (
    workspace_id uuid NOT NULL REFERENCES workspaces,
    month date NOT NULL,                            -- first day, in the workspace's zone
    sent integer NOT NULL CHECK (sent >= 0),
    PRIMARY KEY (workspace_id, month)
);

-- ── senders ──────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE senders (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    username text NOT NULL,
    transport text NOT NULL,
    routes text[] NOT NULL,
    client_ids uuid[] NOT NULL DEFAULT '{}',        -- empty: serves every client
    instagram_id text,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'challenged', 'disabled')),
    state_reason text,
    hourly_limit integer NOT NULL CHECK (hourly_limit > 0),
    daily_limit integer NOT NULL CHECK (daily_limit > 0),
    ramp boolean NOT NULL,
    min_gap_s integer NOT NULL CHECK (min_gap_s >= 0),
    warned_until timestamptz,                       -- limits are halved until then
    breaker_from timestamptz,                       -- the circuit breaker counts from here
    sent_days integer NOT NULL DEFAULT 0,           -- calendar days on which it sent, for the ramp
    last_sent_on date,
    last_begun_at timestamptz,
    ready_at timestamptz NOT NULL,                  -- not before; a hint, the history decides
    rests_until timestamptz,                        -- the provider asked to wait, or is about to,
    rest_reason text,                               -- and why
    archived_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (workspace_id, username)
) WITH (fillfactor = 70);
CREATE INDEX senders_by_instagram_id ON senders (instagram_id) WHERE instagram_id IS NOT NULL;
CREATE INDEX senders_ready ON senders (workspace_id, ready_at) WHERE state = 'active' AND archived_at IS NULL;

CREATE TABLE sender_credentials (
    sender_id uuid PRIMARY KEY REFERENCES senders,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    secret bytea NOT NULL,                          -- encrypted
    app_scoped_id text,                             -- the account's other id, which Meta's callbacks name
    expires_at timestamptz,                         -- (real) null: not known
    refreshed_at timestamptz NOT NULL,              -- (real) when Meta gave it out
    tried_at timestamptz,                           -- (real) the last attempt to refresh it
    warned_at timestamptz,                          -- (real) when somebody was last told that it grows old
    throttles smallint NOT NULL DEFAULT 0,          -- in a row, for the back-off
    throttled_at timestamptz                        -- (real)
);
CREATE INDEX sender_credentials_by_age ON sender_credentials (refreshed_at);

-- Logins at Instagram that somebody has started: each ends once, with the state that only its browser knows.
CREATE TABLE instagram_logins (
    state_hash bytea PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    actor text NOT NULL,                            -- who started it
    wanted jsonb NOT NULL,                          -- what the sender is to be like
    expires_at timestamptz NOT NULL                 -- (real)
);

CREATE TABLE conversations (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    sender_id uuid NOT NULL REFERENCES senders,
    contact_id uuid REFERENCES contacts,            -- null until the username is known
    igsid text,                                     -- Instagram's id of the person, per account
    username text,                                  -- as Instagram told it last; null until known, and after erasure
    window_ends_at timestamptz,                     -- 24 h after the person's last word
    last_inbound_at timestamptz,
    comments jsonb NOT NULL DEFAULT '[]',           -- {"id", "at", "mediaId"}: each opens one private reply for 7 days
    name_due_at timestamptz,                        -- (real) when Instagram is asked who this is
    name_tries smallint NOT NULL DEFAULT 0,
    last_answer_at timestamptz,                     -- when a person last answered here
    -- The last word of either, by which the list is in order.
    active_at timestamptz NOT NULL
        GENERATED ALWAYS AS (coalesce(greatest(last_inbound_at, last_answer_at), created_at)) STORED,
    created_at timestamptz NOT NULL,
    UNIQUE (sender_id, contact_id),
    UNIQUE (sender_id, igsid)
);
CREATE INDEX conversations_by_workspace ON conversations (workspace_id, id);
CREATE INDEX conversations_unnamed ON conversations (name_due_at) WHERE name_due_at IS NOT NULL;
CREATE INDEX conversations_by_contact ON conversations (contact_id);
CREATE INDEX conversations_by_activity ON conversations (workspace_id, active_at, id);

-- What a provider posted and was told to be kept, as it came: taken apart into inbound within a second, and gone then.
CREATE TABLE inbound_posts (
    id uuid PRIMARY KEY,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- (real)
    failures smallint NOT NULL DEFAULT 0,
    not_before timestamptz                          -- (real) when it is tried again after a failure
);
-- Compressing would take longer than writing, while the provider waits.
ALTER TABLE inbound_posts ALTER body SET STORAGE EXTERNAL;

-- What came in, as the provider said it; read by the replies slice.
CREATE TABLE inbound (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    sender_id uuid NOT NULL REFERENCES senders,
    provider_key text COLLATE "C" NOT NULL,         -- "C": edits of a message are found by what their keys begin with
    kind text NOT NULL CHECK (kind IN (
        'reply', 'echo', 'deletion', 'edit', 'reaction', 'read', 'comment', 'referral', 'other')),
    fact jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),  -- (real)
    processed_at timestamptz,                       -- (real)
    failures smallint NOT NULL DEFAULT 0,           -- readings that failed
    not_before timestamptz,                         -- (real) when it is read again after a failure
    contact_id uuid,
    UNIQUE (sender_id, provider_key)
);
CREATE INDEX inbound_unprocessed ON inbound (id) WHERE processed_at IS NULL;
-- Read, and of somebody whose name is not known yet.
CREATE INDEX inbound_unnamed ON inbound (sender_id, (fact ->> 'igsid'))
    WHERE contact_id IS NULL AND processed_at IS NOT NULL;
CREATE INDEX inbound_by_contact ON inbound (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX inbound_by_age ON inbound (received_at);

-- How far the threads of a connected account have been compared with what came in.
CREATE TABLE reconciliations (
    sender_id uuid PRIMARY KEY REFERENCES senders,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    due_at timestamptz NOT NULL,                    -- (real)
    lease_until timestamptz,                        -- (real) a worker asks until then
    done_until timestamptz,                         -- (real) whatever was written before is known; null: nothing yet
    since timestamptz,                              -- (real) of the run on its way: how far back it goes,
    began_at timestamptz,                           -- (real) when it began,
    after text,                                     -- and the page that it has come to
    failures smallint NOT NULL DEFAULT 0,
    CHECK ((since IS NULL) = (began_at IS NULL))
);
CREATE INDEX reconciliations_due ON reconciliations (due_at);

-- ── campaigns and targets ────────────────────────────────────────────────────────────────────────────────

CREATE TABLE campaigns (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    client_id uuid NOT NULL REFERENCES clients,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'draft'
        CHECK (state IN ('draft', 'running', 'paused', 'completed', 'cancelled')),
    blocked_reason text CHECK (blocked_reason IN ('sender_not_available', 'usage_limit_exceeded', 'outside_schedule')),
    paused_reason text,                             -- of a pause that no person asked for
    breaker_from timestamptz,                       -- the circuit breaker counts from here
    limited_by text,                                -- the rule that sets next_at
    next_at timestamptz,                            -- when the next message may go
    due_at timestamptz,                             -- (real) when a worker looks again
    last_begun_at timestamptz,
    hourly_limit integer CHECK (hourly_limit > 0),
    daily_limit integer CHECK (daily_limit > 0),
    metadata jsonb NOT NULL DEFAULT '{}',
    sender_ids uuid[] NOT NULL DEFAULT '{}',        -- empty: all that serve the client
    routes text[] NOT NULL DEFAULT '{}',            -- empty: any that the sender has
    schedule jsonb,
    missing_variable text NOT NULL DEFAULT 'skip' CHECK (missing_variable IN ('skip', 'fail_preflight')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    cancelled_at timestamptz,
    archived_at timestamptz,
    CHECK ((state = 'running') = (due_at IS NOT NULL)),
    CHECK (state = 'running' OR blocked_reason IS NULL),
    CHECK (state = 'paused' OR paused_reason IS NULL)
) WITH (fillfactor = 70);
CREATE INDEX campaigns_due ON campaigns (due_at) WHERE state = 'running';
CREATE INDEX campaigns_by_workspace ON campaigns (workspace_id, id);
CREATE INDEX campaigns_by_client ON campaigns (client_id);

CREATE TABLE campaign_steps (
    campaign_id uuid NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    step smallint NOT NULL CHECK (step BETWEEN 0 AND 5),
    variant smallint NOT NULL DEFAULT 0 CHECK (variant BETWEEN 0 AND 5),
    workspace_id uuid NOT NULL REFERENCES workspaces,
    template_id uuid NOT NULL REFERENCES message_templates,
    weight integer NOT NULL DEFAULT 1 CHECK (weight > 0),
    delay_hours integer NOT NULL DEFAULT 0 CHECK (delay_hours >= 0),
    body text,                                      -- frozen at start
    PRIMARY KEY (campaign_id, step, variant)
);
CREATE INDEX campaign_steps_by_template ON campaign_steps (template_id);

-- The first step's texts and the follow-ups as a list, as the API shows them; one text alone is no variant.
CREATE FUNCTION campaign_texts(of_workspace uuid, of_campaign uuid)
RETURNS TABLE (message_template_id uuid, variants jsonb, follow_ups jsonb) LANGUAGE sql STABLE AS $$
    WITH steps AS (
        SELECT step, (array_agg(template_id ORDER BY variant))[1] AS template_id, min(delay_hours) AS delay_hours,
               CASE WHEN count(*) = 1 THEN '[]' ELSE jsonb_agg(jsonb_build_object(
                   'messageTemplateId', 'tpl_' || replace(template_id::text, '-', ''), 'weight', weight)
                   ORDER BY variant) END AS variants
        FROM campaign_steps
        WHERE workspace_id = of_workspace AND campaign_id = of_campaign
        GROUP BY step
    )
    SELECT (array_agg(template_id) FILTER (WHERE step = 0))[1],
           coalesce(jsonb_agg(variants) FILTER (WHERE step = 0) -> 0, '[]'),
           coalesce(jsonb_agg(jsonb_build_object(
               'messageTemplateId', 'tpl_' || replace(template_id::text, '-', ''), 'delayHours', delay_hours,
               'variants', variants) ORDER BY step) FILTER (WHERE step > 0), '[]')
    FROM steps
$$;

CREATE TABLE targets (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    campaign_id uuid NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    contact_id uuid NOT NULL REFERENCES contacts,
    profile_url text,
    full_name text,
    first_name text,
    category text,
    follower_count bigint,
    variables jsonb,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN (
        'queued', 'sending', 'awaiting_operator', 'sent', 'replied', 'failed', 'skipped', 'cancelled', 'unknown')),
    error_code text,
    reason text,
    sender_id uuid REFERENCES senders,
    next_step smallint NOT NULL DEFAULT 0,
    next_due_at timestamptz,
    sent_at timestamptz,
    replied_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (workspace_id, campaign_id, contact_id),
    CHECK (state <> 'queued' OR next_due_at IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX targets_first ON targets (campaign_id, next_due_at, id) WHERE next_due_at IS NOT NULL AND next_step = 0;
CREATE INDEX targets_followups ON targets (campaign_id, sender_id, next_due_at)
    WHERE next_due_at IS NOT NULL AND next_step > 0;
CREATE INDEX targets_by_state ON targets (campaign_id, state, id);
CREATE INDEX targets_by_contact ON targets (contact_id);

-- How many targets of a campaign stand in each state, and for which code they ended unsent: a sum over rows that are
-- only ever added, so that no two writers wait for each other. Their triggers write what a statement changed, with it
-- or not at all; `fold_counts` of the worker makes few rows of many. No foreign key: its check would wait for whoever
-- completes the campaign, and the targets of a deleted campaign take their counts back themselves.
CREATE TABLE target_counts (
    campaign_id uuid NOT NULL,
    state text NOT NULL,
    code text,
    number bigint NOT NULL
);
CREATE INDEX target_counts_by_campaign ON target_counts (campaign_id);

-- Why a target was skipped or failed, as statistics count it; null in other states.
CREATE FUNCTION ended_code(state text, error_code text, reason text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN state IN ('skipped', 'failed') THEN coalesce(error_code, reason) END
$$;

CREATE FUNCTION count_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO target_counts (campaign_id, state, code, number)
        SELECT campaign_id, state, ended_code(state, error_code, reason), count(*) FROM come GROUP BY 1, 2, 3;
    WHEN 'DELETE' THEN
        INSERT INTO target_counts (campaign_id, state, code, number)
        SELECT campaign_id, state, ended_code(state, error_code, reason), -count(*) FROM gone GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO target_counts (campaign_id, state, code, number)
        SELECT campaign_id, state, code, sum(number)
        FROM (
            SELECT campaign_id, state, ended_code(state, error_code, reason) AS code, 1 AS number FROM come
            UNION ALL
            SELECT campaign_id, state, ended_code(state, error_code, reason), -1 FROM gone
        ) AS changed
        GROUP BY campaign_id, state, code
        HAVING sum(number) <> 0;
    END CASE;
    RETURN NULL;
END
$$;

CREATE TRIGGER targets_come AFTER INSERT ON targets REFERENCING NEW TABLE AS come
    FOR EACH STATEMENT EXECUTE FUNCTION count_targets();
CREATE TRIGGER targets_change AFTER UPDATE ON targets REFERENCING OLD TABLE AS gone NEW TABLE AS come
    FOR EACH STATEMENT WHEN (current_setting('iglayers.one_by_one', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION count_targets();

-- The engine changes one target a statement, or a few; for one this takes a third of the time. Its connections say so.
CREATE FUNCTION count_target() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO target_counts (campaign_id, state, code, number) VALUES
        (OLD.campaign_id, OLD.state, ended_code(OLD.state, OLD.error_code, OLD.reason), -1),
        (NEW.campaign_id, NEW.state, ended_code(NEW.state, NEW.error_code, NEW.reason), 1);
    RETURN NULL;
END
$$;
CREATE TRIGGER target_changes AFTER UPDATE ON targets
    FOR EACH ROW WHEN (current_setting('iglayers.one_by_one', true) = 'on' AND (
        OLD.state <> NEW.state OR OLD.error_code IS DISTINCT FROM NEW.error_code OR OLD.reason IS DISTINCT FROM NEW.reason))
    EXECUTE FUNCTION count_target();
CREATE TRIGGER targets_go AFTER DELETE ON targets REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_targets();

-- A CSV file on its way into a campaign. Each batch of its rows is one transaction, which also moves the mark.
CREATE TABLE imports (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    campaign_id uuid NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    -- receiving: its bytes are still coming in, and nobody is shown it
    state text NOT NULL CHECK (state IN ('receiving', 'queued', 'running', 'completed', 'failed', 'cancelled')),
    dry_run boolean NOT NULL DEFAULT false,
    actor text NOT NULL,
    header text[] NOT NULL DEFAULT '{}',
    delimiter text NOT NULL DEFAULT ',',
    bytes_total bigint NOT NULL DEFAULT 0,
    -- the mark: everything before this byte is done, and the row behind it begins on this line
    bytes_read bigint NOT NULL DEFAULT 0,
    next_line integer NOT NULL DEFAULT 1,
    rows_read integer NOT NULL DEFAULT 0,
    accepted integer NOT NULL DEFAULT 0,
    rejected_by_code jsonb NOT NULL DEFAULT '{}',
    reason text,                                    -- why it ended before the end of the file
    created_at timestamptz NOT NULL,                -- (real)
    started_at timestamptz,                         -- (real)
    ended_at timestamptz,                           -- (real)
    -- the file of a dry run that came to its end stays until then, to be read once more (real)
    kept_until timestamptz,
    CHECK ((state IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK (dry_run OR kept_until IS NULL)
);
CREATE INDEX imports_by_campaign ON imports (campaign_id, id);
CREATE INDEX imports_unended ON imports (rows_read, id) WHERE ended_at IS NULL;

-- The file in pieces of one size, until the import has ended, or `kept_until`.
CREATE TABLE import_pieces (
    import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
    number integer NOT NULL,
    workspace_id uuid NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (import_id, number)
);
-- PostgreSQL 15 does not take this inside CREATE TABLE.
ALTER TABLE import_pieces ALTER COLUMN data SET STORAGE EXTERNAL;

-- On which line of the file each person stands first, until the import has ended.
CREATE TABLE import_names (
    import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
    username text NOT NULL,
    workspace_id uuid NOT NULL,
    line integer NOT NULL,
    PRIMARY KEY (import_id, username)
);

CREATE TABLE import_rejects (
    import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
    line integer NOT NULL,
    workspace_id uuid NOT NULL,
    handle_hash bytea,                              -- whose row it was, where that can be told
    username text NOT NULL,                         -- as it stands in the file
    code text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (import_id, line)
);
CREATE INDEX import_rejects_by_person ON import_rejects (workspace_id, handle_hash) WHERE handle_hash IS NOT NULL;

-- ── the ledger ───────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE messages (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    kind text NOT NULL DEFAULT 'step' CHECK (kind IN ('step', 'answer')),
    client_id uuid,
    campaign_id uuid REFERENCES campaigns,
    target_id uuid REFERENCES targets,
    contact_id uuid NOT NULL REFERENCES contacts,
    sender_id uuid NOT NULL REFERENCES senders,
    step smallint NOT NULL DEFAULT 0,
    variant smallint NOT NULL DEFAULT 0,
    route text NOT NULL,
    body text,                                      -- null after erasure
    state text NOT NULL CHECK (state IN (
        'sending', 'handed_over', 'claimed', 'sent', 'failed', 'skipped', 'not_sent', 'unknown')),
    -- Whether it counts against limits: everything that has begun, unknown included.
    counts boolean NOT NULL GENERATED ALWAYS AS (state NOT IN ('not_sent', 'handed_over', 'skipped')) STORED,
    attempt_id uuid NOT NULL,
    lease_until timestamptz,                        -- (real)
    begun_at timestamptz NOT NULL,                  -- of a card that nobody has claimed: handed over
    settled_at timestamptz,
    provider_message_id text,
    error_code text,
    reason text,
    evidence jsonb NOT NULL DEFAULT '[]',
    author text,                                    -- who wrote an answer, claimed a card, or resolved an unknown
    comment_id text,                                -- the comment that this is the one private reply to
    held jsonb,                                     -- what the claimer of a card said became of it,
    held_until timestamptz,                         -- (real) until when that can be undone
    usage_month date,                               -- the month in which it was counted
    CHECK (kind = 'answer' OR (target_id IS NOT NULL AND campaign_id IS NOT NULL)),
    CHECK (state NOT IN ('sending', 'claimed') OR lease_until IS NOT NULL),
    CHECK (state <> 'claimed' OR author IS NOT NULL),
    CHECK ((held IS NULL) = (held_until IS NULL))
) WITH (fillfactor = 85);
-- At most one attempt of a step that may have reached the person.
CREATE UNIQUE INDEX messages_once ON messages (target_id, step)
    WHERE kind = 'step' AND state NOT IN ('not_sent', 'skipped');
CREATE UNIQUE INDEX messages_one_in_flight ON messages (sender_id) WHERE state = 'sending';
CREATE UNIQUE INDEX messages_once_a_comment ON messages (sender_id, comment_id)
    WHERE comment_id IS NOT NULL AND state <> 'not_sent';
CREATE INDEX messages_cards ON messages (workspace_id, sender_id, id) WHERE state IN ('handed_over', 'claimed');
CREATE INDEX messages_cards_by_campaign ON messages (campaign_id) WHERE state IN ('handed_over', 'claimed');
CREATE INDEX messages_leases ON messages (lease_until) WHERE state IN ('sending', 'claimed');
CREATE INDEX messages_held ON messages (held_until) WHERE held_until IS NOT NULL;
-- What the numbers over time ask for stands in these, so that they read no messages but the newest.
CREATE INDEX messages_by_sender ON messages (sender_id, begun_at) INCLUDE (kind, state) WHERE counts;
CREATE INDEX messages_by_campaign ON messages (campaign_id, begun_at) INCLUDE (kind, state, step, variant, sender_id)
    WHERE counts;
CREATE INDEX messages_by_client ON messages (client_id, begun_at) INCLUDE (kind, state) WHERE counts;
CREATE INDEX messages_bad_by_campaign ON messages (campaign_id, begun_at) WHERE state IN ('failed', 'unknown');
CREATE INDEX messages_bad_by_sender ON messages (sender_id, begun_at) WHERE state IN ('failed', 'unknown');
CREATE INDEX messages_unknown ON messages (workspace_id, id) WHERE state = 'unknown';
CREATE INDEX messages_in_hands ON messages (workspace_id, id) WHERE state IN ('handed_over', 'claimed');
CREATE INDEX messages_by_contact ON messages (contact_id, begun_at);

-- Whether a card may be added for a sender that people work by hand: few wait, so that none is planned for days ahead.
CREATE FUNCTION has_room_for_cards(of_workspace uuid, of_sender uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT 'assisted' = ANY (s.routes) AND (
        SELECT count(*) FROM messages m
        WHERE m.workspace_id = of_workspace AND m.sender_id = of_sender AND m.state = 'handed_over') < 5
    FROM senders s
    WHERE s.workspace_id = of_workspace AND s.id = of_sender
$$;

-- Who has had a first message, by scope: a client, and the workspace where it says so.
CREATE TABLE first_contacts (
    workspace_id uuid NOT NULL,
    scope_id uuid NOT NULL,
    contact_id uuid NOT NULL REFERENCES contacts,
    target_id uuid NOT NULL REFERENCES targets,
    PRIMARY KEY (workspace_id, scope_id, contact_id)
);
CREATE INDEX first_contacts_by_target ON first_contacts (target_id);

-- ── replies ──────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE replies (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces,
    sender_id uuid NOT NULL REFERENCES senders,
    contact_id uuid REFERENCES contacts,
    client_id uuid,
    campaign_id uuid REFERENCES campaigns,
    target_id uuid REFERENCES targets,
    message_id uuid REFERENCES messages,
    inbound_id uuid UNIQUE REFERENCES inbound,
    text text,                                      -- null after erasure
    opted_out boolean NOT NULL DEFAULT false,
    label text NOT NULL DEFAULT 'other'
        CHECK (label IN ('interested', 'not_now', 'no', 'question', 'automatic', 'other')),
    label_reason text,                              -- null after erasure
    labelled_by text,                               -- null: the rules; a person's label is never overwritten
    author text,                                    -- who logged it by hand
    received_at timestamptz NOT NULL
);
CREATE INDEX replies_by_workspace ON replies (workspace_id, id);
CREATE INDEX replies_by_target ON replies (target_id);
CREATE INDEX replies_by_contact ON replies (contact_id);
CREATE INDEX replies_opted_out ON replies (campaign_id, received_at) WHERE opted_out;
CREATE INDEX replies_opted_out_by_sender ON replies (sender_id, received_at) WHERE opted_out;

-- ── the sandbox: a simulated Instagram with a log of its own, the judge of what was sent ─────────────────

CREATE TABLE sandbox_messages (
    id uuid PRIMARY KEY,                            -- the simulated provider's message id
    workspace_id uuid NOT NULL,
    sender_username text NOT NULL,
    recipient text NOT NULL,
    text text NOT NULL,
    reference uuid NOT NULL,                        -- what the caller gave to recognise an echo
    delivered_at timestamptz NOT NULL
);
CREATE INDEX sandbox_messages_by_recipient ON sandbox_messages (workspace_id, recipient);

CREATE TABLE sandbox_plans (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    sender_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('reply', 'echo')),
    due_at timestamptz NOT NULL,
    fact jsonb NOT NULL
);
CREATE INDEX sandbox_plans_due ON sandbox_plans (workspace_id, due_at);

-- Faults that strike once.
CREATE TABLE sandbox_faults (
    workspace_id uuid NOT NULL,
    recipient text NOT NULL,
    PRIMARY KEY (workspace_id, recipient)
);

-- ── what the planner is told ─────────────────────────────────────────────────────────────────────────────

-- Statistics of a young table say that a workspace or a campaign names one row, because there is but one row. From then
-- until the next ANALYZE a join to ten thousand people walks all of them for each. Most rows share these values, always.
ALTER TABLE contacts ALTER workspace_id SET (n_distinct = 10);
ALTER TABLE targets ALTER workspace_id SET (n_distinct = 10), ALTER campaign_id SET (n_distinct = 50);
ALTER TABLE messages
    ALTER workspace_id SET (n_distinct = 10), ALTER campaign_id SET (n_distinct = 50),
    ALTER client_id SET (n_distinct = 50), ALTER sender_id SET (n_distinct = 50);
ALTER TABLE first_contacts ALTER workspace_id SET (n_distinct = 10), ALTER scope_id SET (n_distinct = 50);
ALTER TABLE suppressions ALTER workspace_id SET (n_distinct = 10);
ALTER TABLE replies ALTER workspace_id SET (n_distinct = 10);
ALTER TABLE conversations ALTER workspace_id SET (n_distinct = 10), ALTER sender_id SET (n_distinct = 50);
