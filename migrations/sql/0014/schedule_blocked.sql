-- Why the jobs of p_submitted_by, the name of an API key, are not to be queued by a schedule; null: they are.
-- Names that no key has are the site's own key, the command line, and roles of SQL clients.
CREATE OR REPLACE FUNCTION netpulse.schedule_blocked(p_submitted_by text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format('the key %s %s', k.name, CASE WHEN k.revoked_at IS NOT NULL THEN 'is revoked' ELSE 'has expired' END)
      FROM netpulse.api_key AS k
     WHERE k.name = p_submitted_by AND (k.revoked_at IS NOT NULL OR k.expires_at <= clock_timestamp())
$$;
