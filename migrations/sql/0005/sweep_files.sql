-- Remove up to p_limit pieces of files that are needed no more, and note which files have none left; those that never
-- got a job go altogether. Returns the number of pieces. Locks those pieces and files, skipping locked files.
CREATE OR REPLACE FUNCTION netpulse.sweep_files(p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_ids uuid[] := ARRAY(
        SELECT f.id FROM netpulse.stored_file AS f
         WHERE f.removed_at IS NULL AND f.expires_at <= clock_timestamp()
         ORDER BY f.expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
    v_count integer;
BEGIN
    WITH doomed AS (
        SELECT p.file_id, p.first_byte FROM netpulse.file_piece AS p WHERE p.file_id = ANY (v_ids) LIMIT p_limit)
    DELETE FROM netpulse.file_piece AS p USING doomed AS d
     WHERE p.file_id = d.file_id AND p.first_byte = d.first_byte;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_ids := ARRAY(
        SELECT i.id FROM unnest(v_ids) AS i (id)
         WHERE NOT EXISTS (SELECT FROM netpulse.file_piece AS p WHERE p.file_id = i.id));
    DELETE FROM netpulse.stored_file WHERE id = ANY (v_ids) AND job_id IS NULL;
    UPDATE netpulse.stored_file SET removed_at = clock_timestamp() WHERE id = ANY (v_ids);
    RETURN v_count;
END
$$;
