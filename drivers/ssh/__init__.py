"""What the drivers that speak SSH share: keys, host keys, the login, jump hosts, a sign of life."""
