"""A Cisco NX-OS switch's command line. Every output here was written for the lab; none was recorded from a device."""
