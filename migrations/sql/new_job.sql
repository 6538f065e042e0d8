-- One element of submit_jobs' argument. `sealed` is a Fernet token; `request_hashes` one digest per secret key, newest
-- first; `preferred_worker` what a placement policy proposes (null: pick_worker decides).
CREATE TYPE netpulse.new_job AS (
    driver text, operation text, device_key text, host text, port integer, zone text, strategy text, priority integer,
    request jsonb, sealed text, ttl_s double precision, execution_timeout_s double precision, max_attempts integer,
    submitted_by text, idempotency_key text, request_hashes text[], batch_id uuid, schedule_id uuid,
    preferred_worker bigint
);
