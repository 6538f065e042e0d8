-- Bring each output's text back into job_output. Those that were not kept are empty.
UPDATE netpulse.job_output AS o SET stdout = t.body FROM netpulse.output_text AS t WHERE t.digest = o.digest;
