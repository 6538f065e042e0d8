-- Put events on record. p_events: an array of objects with audit_event's columns but `id` and `at`; those left out are
-- null. `age_s`: seconds since it was decided, for events that waited; left out: now. Locks nothing.
CREATE OR REPLACE FUNCTION netpulse.record_audit_events(p_events jsonb) RETURNS void
LANGUAGE sql VOLATILE AS $$
    INSERT INTO netpulse.audit_event
           (at, actor, client, request_id, action, host, subject, allowed, reason, job_id, batch_id, detail)
    SELECT now() - make_interval(secs => coalesce((e.item ->> 'age_s')::double precision, 0)),
           r.actor, r.client, r.request_id, r.action, r.host, r.subject, r.allowed, r.reason, r.job_id, r.batch_id,
           r.detail
      FROM jsonb_array_elements(p_events) WITH ORDINALITY AS e (item, position),
           jsonb_populate_record(null::netpulse.audit_event, e.item) AS r
     ORDER BY e.position
$$;
