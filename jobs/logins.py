"""The logins of jobs that only refer to them: resolved when the job runs, renewed when a device refuses one."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import asyncpg

from drivers.base import Target
from jobs.credentials.base import CredentialRef
from jobs.credentials.errors import CredentialError, VaultUnavailable
from jobs.credentials.resolver import Login, Resolver
from jobs.database import LOST, is_transient
from jobs.invalid import RequestInvalid, validated
from jobs.work import Referral, Work


class Logins:
    """The references of the jobs under way. Belongs to the event loop of its resolver."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._used: dict[UUID, tuple[Target, CredentialRef, Login]] = {}

    async def resolved(self, work: Work) -> Work:
        """`work` with the login that it refers to; unchanged without a reference, or when that is done.

        Raises CredentialError, VaultUnavailable.
        """
        if work.referral is None or work.referral.login is not None:
            return work
        try:
            login = await self._resolver.resolve(work.referral.ref)
        except (*LOST, asyncpg.PostgresError) as error:
            if not is_transient(error):
                raise
            raise VaultUnavailable("PostgreSQL, which keeps the credential, is out of reach") from error
        return self._with(work, work.referral.ref, login)

    async def renewed(self, work: Work) -> Work | None:
        """`work` with another login than the one that its device refused; None if there is no other."""
        if work.referral is None or work.referral.login is None:
            return None
        login = await self._renewed(work.referral.ref, work.referral.login)
        return None if login is None else self._with(work, work.referral.ref, login)

    async def is_outdated(self, target: Target) -> bool:
        """Whether the login that was just refused has been replaced where it is kept: no reason to let it rest."""
        used = next(((ref, login) for other, ref, login in self._used.values() if other == target), None)
        return used is not None and await self._renewed(*used) is not None

    def forget(self, job_id: UUID) -> None:
        """The job has ended."""
        self._used.pop(job_id, None)

    async def _renewed(self, ref: CredentialRef, refused: Login) -> Login | None:
        """What is new there; None also if nobody can say: the refusal is what the job is about."""
        try:
            return await self._resolver.renew(ref, refused)
        except (CredentialError, VaultUnavailable, *LOST, asyncpg.PostgresError):
            return None

    def _with(self, work: Work, ref: CredentialRef, login: Login) -> Work:
        given = work.request["connection_args"]
        try:
            connection = validated(
                work.driver.connection_args, {**given, "username": login.username, "password": login.password}
            )
        except RequestInvalid as error:  # its text repeats nothing of what was read
            raise CredentialError(f"what is kept at {ref.path} makes no login: {error}") from None
        target = work.driver.target(connection)
        self._used[work.job.id] = (target, ref, login)
        return replace(work, connection=connection, target=target, referral=Referral(ref, login))
