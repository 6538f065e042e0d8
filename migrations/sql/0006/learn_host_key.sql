-- Trust on first use: put the key of an address on record if none of that address is, whoever comes first.
-- Returns true if it is on record now: learnt by this call, or the same one was there already.
-- Locks, to the end of the transaction: an advisory lock per address, so that two workers never learn a key each.
CREATE OR REPLACE FUNCTION netpulse.learn_host_key(p_address text, p_kind text, p_fingerprint text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('host key ' || p_address, 0));
    INSERT INTO netpulse.host_key (address, kind, fingerprint, source, first_seen_at, last_seen_at)
    SELECT p_address, p_kind, p_fingerprint, 'learnt', clock_timestamp(), clock_timestamp()
     WHERE NOT EXISTS (SELECT FROM netpulse.host_key AS k WHERE k.address = p_address)
        ON CONFLICT DO NOTHING;  -- entered by a person at this moment
    RETURN EXISTS (SELECT FROM netpulse.host_key AS k
                    WHERE k.address = p_address AND k.kind = p_kind AND k.fingerprint = p_fingerprint);
END
$$;
