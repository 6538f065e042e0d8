"""Alembic's revisions of the database, and the SQL files they run."""
