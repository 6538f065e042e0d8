-- `scheme://host:port` of p_origin (`scheme://host[:port]`), the port always there; `none` for what is no such thing.
CREATE OR REPLACE FUNCTION netpulse.receiver_of(p_origin text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN lower(p_origin) ~ '^https?://(\[[0-9a-f:.]+\]|[^]:[]+):[0-9]+$' THEN lower(p_origin)
        WHEN lower(p_origin) ~ '^https://(\[[0-9a-f:.]+\]|[^]:[]+)$' THEN lower(p_origin) || ':443'
        WHEN lower(p_origin) ~ '^http://(\[[0-9a-f:.]+\]|[^]:[]+)$' THEN lower(p_origin) || ':80'
        ELSE 'none' END
$$;
