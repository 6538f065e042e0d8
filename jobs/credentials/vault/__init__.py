"""HashiCorp Vault as a provider of credentials."""

from jobs.credentials.vault.provider import Vault

__all__ = ["Vault"]
