-- What became of attempt p_attempt of delivery p_delivery. p_error null: it is delivered; else it is due again in
-- p_retry_in_s seconds, or given up where that is null. p_alive: whether the receiver answered as a live one does; null:
-- it was not asked. One that did not is to rest p_rest_s seconds, should it have failed too often.
-- Returns false, and keeps nothing, if the lease was over and another took the delivery up.
-- Locks the delivery's row, then its attempt's, then its receiver's.
CREATE OR REPLACE FUNCTION netpulse.end_delivery_attempt(
    p_delivery uuid, p_attempt integer, p_status integer, p_error text, p_duration_s double precision,
    p_retry_in_s double precision, p_alive boolean, p_rest_s double precision) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_receiver text;
BEGIN
    UPDATE netpulse.webhook_delivery AS d
       SET state = CASE WHEN p_error IS NULL THEN 'delivered' WHEN p_retry_in_s IS NOT NULL THEN 'due' ELSE 'failed' END,
           next_at = CASE WHEN p_error IS NOT NULL THEN v_now + p_retry_in_s * interval '1 second' END,
           delivered_at = CASE WHEN p_error IS NULL THEN v_now END,
           failed_at = CASE WHEN p_error IS NOT NULL AND p_retry_in_s IS NULL THEN v_now END,
           sealed = CASE WHEN p_error IS NOT NULL THEN d.sealed END,
           said = CASE WHEN p_error IS NOT NULL THEN d.said END
     WHERE d.id = p_delivery AND d.state = 'sending' AND d.attempts = p_attempt
    RETURNING d.receiver INTO v_receiver;
    IF NOT FOUND THEN RETURN false; END IF;

    UPDATE netpulse.webhook_attempt SET status = p_status, error = p_error, duration_s = p_duration_s
     WHERE delivery_id = p_delivery AND number = p_attempt;
    IF p_alive THEN
        DELETE FROM netpulse.webhook_receiver WHERE receiver = v_receiver;
    ELSIF NOT p_alive THEN
        INSERT INTO netpulse.webhook_receiver AS r (receiver, failures, rest_until)
        VALUES (v_receiver, 1, v_now + p_rest_s * interval '1 second')
            ON CONFLICT (receiver) DO UPDATE SET failures = r.failures + 1, rest_until = excluded.rest_until;
    END IF;
    RETURN true;
END
$$;
