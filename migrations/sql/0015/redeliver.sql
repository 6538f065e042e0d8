-- Let delivery p_delivery, which was given up, be due again, with all its retries. Returns false if it was not given up, or
-- its sealed part is gone. Locks its row.
CREATE OR REPLACE FUNCTION netpulse.redeliver(p_delivery uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE netpulse.webhook_delivery
       SET state = 'due', next_at = clock_timestamp(), failed_at = NULL, attempts_before = attempts
     WHERE id = p_delivery AND state = 'failed' AND sealed IS NOT NULL;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM pg_notify('netpulse_webhook', '');
    RETURN true;
END
$$;
