-- Let a key make up to p_wanted requests. A token bucket: it holds at most one minute's worth (p_per_minute), which a
-- key that rested may spend at once, and fills evenly by PostgreSQL's clock. So within any t minutes all processes
-- together let through p_per_minute × (1 + t) requests at the most.
-- p_unspent: requests of an earlier call that were not made; they go back.
-- One row: `granted` requests (0 to p_wanted); `wait_s` seconds until there is one more, 0: now.
-- Locks the key's row to the end of the transaction.
CREATE OR REPLACE FUNCTION netpulse.take_requests(p_key text, p_per_minute integer, p_wanted integer,
    p_unspent integer DEFAULT 0, OUT granted integer, OUT wait_s double precision)
LANGUAGE plpgsql AS $$
DECLARE
    v_tokens double precision;
BEGIN
    INSERT INTO netpulse.request_rate AS r (key_id, tokens, filled_at)
    VALUES (p_key, p_per_minute, clock_timestamp())
        ON CONFLICT (key_id) DO UPDATE
       SET tokens = least(p_per_minute, r.tokens + p_unspent + p_per_minute / 60.0
                          * greatest(0, extract(epoch FROM clock_timestamp() - r.filled_at))),
           filled_at = clock_timestamp()
    RETURNING r.tokens INTO v_tokens;
    granted := greatest(0, least(p_wanted, floor(v_tokens)));
    v_tokens := v_tokens - granted;
    UPDATE netpulse.request_rate AS r SET tokens = v_tokens WHERE r.key_id = p_key;
    wait_s := greatest(0, (1 - v_tokens) * 60 / p_per_minute);
END
$$;
