"""Why a credential cannot be had. Messages are for clients: they name paths, never what stands there."""

from __future__ import annotations


class CredentialError(Exception):
    """The provider answered, and there is nothing to log in with. Asking again changes nothing."""


class NoSuchCredential(CredentialError):
    """Nothing at the path, or not in that version."""


class PathRefused(CredentialError):
    """A path that the site, or the provider's own policy, keeps from us."""


class VaultUnavailable(Exception):
    """The provider does not answer, is sealed, or refuses our own login. The device saw nothing; try again later."""

    repeatable = True
