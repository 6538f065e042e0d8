-- A UUID version 7 for the moment p_at: milliseconds, then the microseconds as 12 bits (RFC 9562, section 6.2, method 3),
-- then randomness from gen_random_uuid(), whose variant nibble stays where it is. Takes no locks.
CREATE OR REPLACE FUNCTION netpulse.uuid7(p_at timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex(us % 1000 * 4096 / 1000), 3, '0')
            || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid
      FROM (SELECT (extract(epoch FROM p_at) * 1000000)::bigint AS us) AS moment
$$;

-- The smallest id that a job accepted at p_at or later can have: turns a time into a range of the primary key.
CREATE OR REPLACE FUNCTION netpulse.uuid7_floor(p_at timestamptz) RETURNS uuid
LANGUAGE sql STABLE AS $$
    SELECT (lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex(us % 1000 * 4096 / 1000), 3, '0')
            || '8000000000000000')::uuid
      FROM (SELECT greatest(extract(epoch FROM p_at) * 1000000, 0)::bigint AS us) AS moment
$$;
