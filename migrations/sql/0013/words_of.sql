-- The words of a device's output, for searching: as they stand (configuration `simple`: no stemming, no stop words, lower
-- case), without their places. Of a text over 250 kB those of its beginning: a tsvector holds 1 MB, and words with
-- hyphens or slashes count twice, so that no text of 250 kB can be too much. Locks nothing.
CREATE FUNCTION netpulse.words_of(p_body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT strip(to_tsvector('pg_catalog.simple'::regconfig,
           CASE WHEN octet_length(p_body) <= 250000 THEN p_body
                WHEN octet_length(p_body) = char_length(p_body) THEN left(p_body, 250000)
                ELSE left(p_body, 62500) END))
$$;
