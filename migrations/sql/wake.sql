-- Tell whoever serves queue p_queue that there is something to fetch. The payload, if any, is a word for a worker
-- (`work <device key> …`, `cancel <job id>`, `release <device key> …`, `drain`, `dead`). Takes no locks before commit; commits of notifying transactions are serialised by PostgreSQL.
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

-- Ask worker p_worker to close its idle sessions on p_keys. Several notices if needed: a payload may have 8,000 bytes.
-- A notice may get lost, so nothing may depend on it: a worker compares what it holds with `device` (foreign_devices).
CREATE OR REPLACE FUNCTION netpulse.tell_to_release(p_worker bigint, p_keys text[]) RETURNS void
LANGUAGE sql VOLATILE AS $$
    SELECT netpulse.wake('w:' || p_worker, 'release ' || string_agg(part.key, ' '))
      FROM (SELECT key, sum(octet_length(key) + 1) OVER (ORDER BY key) / 6000 AS number
              FROM unnest(p_keys) AS key WHERE octet_length(key) < 1000) AS part
     GROUP BY part.number
$$;
