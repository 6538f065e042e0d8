"""What can keep the embedded PostgreSQL from starting."""


class PostgresError(Exception):
    """The embedded PostgreSQL did not start; the text says why and what to do."""


class NoBinaries(PostgresError):
    """No PostgreSQL programs were found that the server's account may run."""


class AlreadySupervised(PostgresError):
    """Another live process holds this data directory."""


class WrongVersion(PostgresError):
    """The data directory belongs to another major version of PostgreSQL."""


class Unreachable(PostgresError):
    """The data or socket directory is not ours, or the server's account cannot get to it."""
