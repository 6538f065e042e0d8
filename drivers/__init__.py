"""Talking to devices. Knows no database, no queue and no settings."""
