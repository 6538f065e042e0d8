"""A Linux server's shell, as far as remote administration types it. Every output here was written for the lab."""
