-- Begin a round of retention, unless another session has one under way, or one ended in the last p_every_s seconds.
-- Returns its id; null: not now. All but the latest hundred rounds are forgotten.
-- Takes an advisory lock that the session keeps until its end: so a round ends with the process that does it.
CREATE FUNCTION netpulse.begin_retention(p_by text, p_every_s double precision) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_lock bigint := x'6e65747072'::bigint;  -- "netpr"
    v_id bigint;
BEGIN
    IF NOT pg_try_advisory_lock(v_lock) THEN RETURN NULL; END IF;
    IF EXISTS (SELECT FROM netpulse.retention_round AS r
                WHERE r.ended_at > clock_timestamp() - p_every_s * interval '1 second') THEN
        PERFORM pg_advisory_unlock(v_lock);
        RETURN NULL;
    END IF;
    INSERT INTO netpulse.retention_round (by) VALUES (p_by) RETURNING id INTO v_id;
    DELETE FROM netpulse.retention_round WHERE id <= v_id - 100;
    RETURN v_id;
END
$$;
