-- Tell whoever serves queue p_queue that there is something to fetch. The payload, if any, is a word for a worker
-- (`cancel <job id>`). Takes no locks before commit; commits of notifying transactions are serialised by PostgreSQL.
CREATE OR REPLACE FUNCTION netpulse.wake(p_queue text, p_word text DEFAULT '') RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT pg_notify('netpulse:' || p_queue, p_word)
$$;

-- Tell the waiting clients that jobs changed. Payloads stay below PostgreSQL's 8,000 bytes: 200 ids of 36 characters each.
CREATE OR REPLACE FUNCTION netpulse.announce(p_channel text, p_ids uuid[]) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT pg_notify(p_channel, string_agg(part.id::text, ','))
      FROM unnest(p_ids) WITH ORDINALITY AS part (id, position)
     GROUP BY (part.position - 1) / 200
$$;
