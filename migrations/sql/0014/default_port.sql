-- The port at which a driver of ours reaches a device unless told otherwise; null: it is not one of ours.
CREATE OR REPLACE FUNCTION netpulse.default_port(p_driver text, p_connection_args jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_driver
           WHEN 'netmiko' THEN CASE WHEN t.kind LIKE '%\_telnet' THEN 23 ELSE 22 END
           WHEN 'paramiko' THEN 22
           WHEN 'pyeapi' THEN CASE p_connection_args ->> 'transport' WHEN 'http' THEN 80 ELSE 443 END
           WHEN 'napalm' THEN CASE WHEN t.kind IN ('eos', 'arista_eos', 'nxos', 'nxos_nxapi') THEN 443
                                   WHEN t.kind IN ('junos', 'juniper', 'juniper_junos', 'iosxr_netconf') THEN 830
                                   ELSE 22 END
           END
      FROM (SELECT p_connection_args ->> 'device_type') AS t (kind)
$$;
