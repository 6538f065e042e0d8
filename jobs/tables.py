"""The tables of schema `netpulse`. Alembic's revisions make them; `alembic check` holds both together.

What a column means is said once, here, and reaches the database as its comment.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

SCHEMA = "netpulse"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    },
)


def timestamp(name: str, comment: str, *, default_now: bool = False) -> Column[object]:
    """A moment; null unless it has a default."""
    if default_now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=text("now()"), comment=comment)
    return Column(name, DateTime(timezone=True), comment=comment)


worker = Table(
    "worker",
    metadata,
    Column(
        "id", BigInteger, Identity(always=True), primary_key=True, comment="Incarnation: new at every process start"
    ),
    Column("name", Text, nullable=False, comment="node:pid"),
    Column("node", Text, nullable=False, comment="Host name of the machine"),
    Column("pid", Integer, nullable=False),
    Column("zone", Text, nullable=False, comment="Part of the network that this worker reaches"),
    Column("capacity", Integer, nullable=False, comment="Sessions that it holds at the most"),
    Column("state", Text, nullable=False, server_default="live"),
    Column(
        "queue_worker_id",
        BigInteger,
        nullable=False,
        comment="Its row in procrastinate_workers, which is gone once it is dead",
    ),
    Column("beat", BigInteger, nullable=False, server_default="0", comment="Counts heartbeats; a reaper compares it"),
    Column("busy", Integer, nullable=False, server_default="0", comment="Jobs running at the last heartbeat"),
    Column("held_sessions", Integer, nullable=False, server_default="0", comment="Sessions held at the last heartbeat"),
    Column("successful_jobs", BigInteger, nullable=False, server_default="0"),
    Column("failed_jobs", BigInteger, nullable=False, server_default="0"),
    timestamp("born_at", "Process start, by PostgreSQL's clock", default_now=True),
    timestamp("heartbeat_at", "Last heartbeat; shown to people, never compared", default_now=True),
    timestamp("died_at", "When it left, or was declared dead"),
    CheckConstraint("state IN ('live', 'draining', 'dead')", name="state"),
    CheckConstraint("capacity > 0", name="capacity"),
    # Queue names are `pinned:<zone>`; procrastinate refuses names over 40 characters.
    CheckConstraint("zone ~ '^[a-z0-9_-]{1,30}$'", name="zone"),
    # pick_worker, reaper: the few that are not dead, among all past incarnations.
    Index("worker_alive_idx", "zone", "id", postgresql_where=text("state <> 'dead'")),
    # prune_workers
    Index("worker_dead_idx", "died_at", postgresql_where=text("state = 'dead'")),
    comment="One row per incarnation of a worker process",
)

device = Table(
    "device",
    metadata,
    Column("key", Text, primary_key=True, comment="host:port, IPv6 in brackets"),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    Column("worker_id", ForeignKey(worker.c.id), comment="The incarnation that holds it; null: nobody"),
    Column("epoch", BigInteger, nullable=False, server_default="0", comment="+1 at each change of holder"),
    timestamp("submitted_at", "Last submission of a pinned job", default_now=True),
    # GET and DELETE /worker?host=
    Index("device_host_idx", "host"),
    # Placement counts a worker's devices; reaping hands them over.
    Index("device_worker_id_idx", "worker_id", postgresql_where=text("worker_id IS NOT NULL")),
    comment="Which worker holds which device. Its row lock orders the submissions for the device",
    postgresql_with={"fillfactor": "70"},
)

job = Table(
    "job",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, comment="UUID version 7 by PostgreSQL's clock: sorts by time"),
    Column("batch_id", UUID(as_uuid=True), comment="Shared by the jobs of one bulk request"),
    Column("schedule_id", UUID(as_uuid=True), comment="The schedule that fired it"),
    Column("driver", Text, nullable=False),
    Column("operation", Text, nullable=False, comment="command: reads; config: changes"),
    Column("device_key", Text, nullable=False, comment="host:port, IPv6 in brackets"),
    Column("host", Text, nullable=False, comment="Name or address as normalised, without the port"),
    Column("zone", Text, nullable=False),
    Column("strategy", Text, nullable=False, comment="pinned: in order, on the holder; fifo: anywhere, in parallel"),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("priority", Integer, nullable=False, server_default="0", comment="Higher first"),
    Column("request", JSONB, nullable=False, comment="The request as accepted; every secret reads ***"),
    Column(
        "sealed", LargeBinary, comment="The encrypted login; removed when the job ends, or need no more be confirmed"
    ),
    Column("rendered", Text, comment="What was sent, where a template made it"),
    Column("error_type", Text, comment="One of the closed list of the API's documentation"),
    Column("error_message", Text),
    Column("outcome", Text, comment="Of a change that failed: did the device get it? unknown: a person must look"),
    Column("submitted_by", Text, nullable=False, comment="Name of the API key"),
    Column("idempotency_key", Text, comment="As the client sent it; counts for 24 hours"),
    Column("request_hash", Text, comment="Keyed digest of the whole request, secrets included"),
    Column("queue_job_id", BigInteger, comment="Row in procrastinate_jobs while the job waits or runs"),
    Column("worker_id", BigInteger, comment="Incarnation that claimed it last"),
    Column("worker", Text, comment="That worker's name"),
    Column("epoch", BigInteger, comment="The device's epoch at the claim"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="Times that a worker claimed it"),
    Column("max_attempts", Integer, nullable=False, server_default="1"),
    Column("session_reused", Boolean, comment="False: this job paid for a login"),
    Column("execution_timeout_s", Float, nullable=False),
    Column(
        "cancel_requested",
        Boolean,
        nullable=False,
        server_default="false",
        comment="Somebody wants the running job aborted; its worker looks here should the notice get lost",
    ),
    timestamp("created_at", "Accepted", default_now=True),
    timestamp("expires_at", "Not claimed by then: failed with Expired"),
    timestamp("started_at", "Claimed by the worker that ran it"),
    timestamp("ended_at", "Finished, failed or cancelled"),
    Column("difference", Text, comment="What a change made different, or with dry_run would have, as the device tells"),
    Column("rollback", Text, comment="How it went when a change that failed was to be undone"),
    timestamp("confirm_by", "The device undoes this change by itself unless it is confirmed before"),
    timestamp("confirmed_at", "Confirmed by another job"),
    Column("wave", Integer, comment="Of a rollout, from 0; null: not part of one"),
    CheckConstraint(
        "operation IN ('command', 'config', 'confirm', 'upload', 'download', 'task', 'test')", name="operation"
    ),
    CheckConstraint("rollback IN ('done', 'failed', 'impossible')", name="rollback"),
    CheckConstraint("strategy IN ('pinned', 'fifo')", name="strategy"),
    CheckConstraint("state IN ('queued', 'claimed', 'started', 'finished', 'failed', 'cancelled')", name="state"),
    CheckConstraint("outcome IN ('known', 'unknown')", name="outcome"),
    CheckConstraint("(state IN ('finished', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name="ended"),
    CheckConstraint("ended_at IS NULL OR sealed IS NULL OR confirm_by IS NOT NULL", name="unsealed_at_end"),
    # GET /job?host=
    Index("job_host_idx", "host", "id"),
    # GET /job?node=, through worker
    Index("job_worker_idx", "worker_id", "id", postgresql_where=text("worker_id IS NOT NULL")),
    # GET /job?batch=
    Index("job_batch_idx", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
    # GET /job?schedule=
    Index("job_schedule_idx", "schedule_id", "id", postgresql_where=text("schedule_id IS NOT NULL")),
    # GET /job?status=, for all but the common one, which is found by walking the primary key
    Index("job_unfinished_idx", "state", "id", postgresql_where=text("state <> 'finished'")),
    # expire_jobs
    Index("job_expiry_idx", "expires_at", postgresql_where=text("state = 'queued'")),
    # jobs.limits: how many jobs of a key wait
    Index("job_queued_by_idx", "submitted_by", postgresql_where=text("state = 'queued'")),
    # reap_worker, reconcile_jobs
    Index("job_running_idx", "worker_id", postgresql_where=text("state IN ('claimed', 'started')")),
    # report.job, output, availability, throughput: what ended in a time
    Index("job_ended_idx", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    # report.failure: what failed in a time
    Index("job_failed_idx", "ended_at", postgresql_where=text("state = 'failed'")),
    # report.change: what was changed in a time
    Index("job_change_idx", "ended_at", postgresql_where=text("operation = 'config' AND ended_at IS NOT NULL")),
    # submit_jobs: a second submission with the same key
    Index(
        "job_idempotency_idx",
        "submitted_by",
        "idempotency_key",
        unique=True,
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
    # forget_unconfirmed
    Index("job_confirm_idx", "confirm_by", postgresql_where=text("sealed IS NOT NULL AND confirm_by IS NOT NULL")),
    comment="One row per job, kept as history. The queue's own row lives in procrastinate_jobs until the job ends",
    postgresql_with={"fillfactor": "80"},
)

job_output = Table(
    "job_output",
    metadata,
    Column("job_id", ForeignKey(job.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, comment="From 0, in the order of the request"),
    Column("command", Text, nullable=False, comment="The command or configuration line"),
    Column("verdict", Text, nullable=False),
    Column(
        "digest",
        ForeignKey("netpulse.output_text.digest"),
        comment="What it said, in output_text; null: nothing, or it was not kept (options.record)",
    ),
    Column("size_bytes", Integer, nullable=False, server_default="0", comment="Of what it said, kept or not, in UTF-8"),
    Column("stderr", Text, nullable=False, server_default=""),
    Column("exit_status", Integer, comment="0 done, 1 refused, null skipped; the process's own where there is one"),
    Column("parsed", JSONB),
    timestamp("started_at", "Sent; by the worker's clock"),
    Column("duration_s", Float, nullable=False, server_default="0"),
    Column("phase", Text, nullable=False, server_default="main", comment="Of a change: main, before, after or undo"),
    Column("parsing_error", Text, comment="Why `parsed` is null, where parsing was asked for"),
    CheckConstraint("verdict IN ('done', 'refused', 'skipped')", name="verdict"),
    CheckConstraint("phase IN ('main', 'before', 'after', 'undo')", name="phase"),
    # GET /job?output=; remove_texts
    Index("job_output_digest_idx", "digest", postgresql_where=text("digest IS NOT NULL")),
    # GET /job?parsed=
    Index(
        "job_output_parsed_idx",
        "parsed",
        postgresql_using="gin",
        postgresql_ops={"parsed": "jsonb_path_ops"},
        postgresql_where=text("parsed IS NOT NULL"),
    ),
    comment="What a device said to one command or configuration line",
)

rollout = Table(
    "rollout",
    metadata,
    Column("batch_id", UUID(as_uuid=True), primary_key=True),
    Column("max_failures", Integer, nullable=False, comment="More failed jobs than that stop it"),
    Column("state", Text, nullable=False, server_default="running"),
    Column(
        "accepting",
        Boolean,
        nullable=False,
        server_default="true",
        comment="The bulk is still being accepted: no wave after the first begins yet",
    ),
    timestamp("created_at", "Accepted", default_now=True),
    timestamp("ended_at", "The last wave ended, or it was stopped"),
    CheckConstraint("state IN ('running', 'stopped', 'done')", name="state"),
    # advance_rollouts
    Index("rollout_running_idx", "batch_id", postgresql_where=text("state = 'running'")),
    comment="A bulk that goes on in waves, and stops by itself when too many jobs fail",
)

session = Table(
    "session",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, comment="The worker's own, by chance"),
    Column("worker_id", ForeignKey(worker.c.id), nullable=False),
    Column("device_key", Text, nullable=False, comment="host:port, IPv6 in brackets"),
    Column("host", Text, nullable=False),
    Column("driver", Text, nullable=False),
    Column("username", Text, comment="Who is logged in; null where the driver has no users"),
    Column("opened_at", DateTime(timezone=True), nullable=False, comment="Logged in; by the worker's clock"),
    # reap_worker; GET /session?node=
    Index("session_worker_id_idx", "worker_id"),
    comment="The sessions that live workers hold, as last reported (every heartbeat or so)",
)

host_key = Table(
    "host_key",
    metadata,
    Column("address", Text, primary_key=True, comment="host:port, IPv6 in brackets"),
    Column("kind", Text, primary_key=True, comment="ssh-ed25519, …; x509 for a certificate"),
    Column("fingerprint", Text, nullable=False, comment="SHA256:… of the key's blob, or of the DER form"),
    Column("source", Text, nullable=False, comment="learnt: at the first login; entered: by a person"),
    timestamp("first_seen_at", "Null: entered, and not seen yet"),
    timestamp("last_seen_at", "To the day"),
    CheckConstraint("source IN ('learnt', 'entered')", name="source"),
    comment="The keys and certificates with which devices prove who they are",
)

circuit = Table(
    "circuit",
    metadata,
    Column("device_key", Text, primary_key=True, comment="host:port, IPv6 in brackets"),
    Column("login", Text, primary_key=True, comment="Keyed digest of the whole login, secrets included"),
    Column("username", Text, comment="Whose login; null where the driver has no users"),
    Column("failures", Integer, nullable=False, comment="Refusals in a row"),
    timestamp("opened_until", "Rests until then; null: it does not"),
    Column("last_failure_at", DateTime(timezone=True), nullable=False, comment="Last refusal"),
    comment="Logins that devices refused since they last accepted them; after too many in a row one rests",
)

stored_file = Table(
    "stored_file",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, comment="UUID version 7 by PostgreSQL's clock: sorts by time"),
    Column(
        "job_id",
        ForeignKey(job.c.id, ondelete="CASCADE"),
        unique=True,
        comment="The job that brings it to its device, or from there; null while a client sends it",
    ),
    Column("direction", Text, nullable=False, comment="upload: to the device; download: from it"),
    Column("name", Text, nullable=False, comment="Shown to people; names no file anywhere"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0", comment="So far"),
    Column("sha256", Text, comment="Hexadecimal; null until it is whole"),
    Column("state", Text, nullable=False, server_default="growing"),
    timestamp("created_at", "The first byte was asked for", default_now=True),
    timestamp("expires_at", "Its pieces may be removed then; null: its job needs them"),
    timestamp("removed_at", "Its pieces are gone"),
    CheckConstraint("direction IN ('upload', 'download')", name="direction"),
    CheckConstraint("state IN ('growing', 'whole', 'broken')", name="state"),
    CheckConstraint("state <> 'whole' OR sha256 IS NOT NULL", name="digest"),
    # sweep_files
    Index("stored_file_expiry_idx", "expires_at", postgresql_where=text("removed_at IS NULL")),
    comment="A file on its way to a device, or brought from one",
)

file_piece = Table(
    "file_piece",
    metadata,
    Column("file_id", ForeignKey(stored_file.c.id, ondelete="CASCADE"), primary_key=True),
    Column("first_byte", BigInteger, primary_key=True, autoincrement=False, comment="Its place in the file, from 0"),
    Column("data", LargeBinary, nullable=False, comment="Encrypted; up to 512 KiB in the clear"),
    comment="A piece of a file",
)

detached_task = Table(
    "detached_task",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, comment="UUID version 7 by PostgreSQL's clock: sorts by time"),
    Column("driver", Text, nullable=False),
    Column("device_key", Text, nullable=False, comment="host:port, IPv6 in brackets"),
    Column("host", Text, nullable=False, comment="Name or address as normalised, without the port"),
    Column("port", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    Column("job_id", UUID(as_uuid=True), nullable=False, comment="The job that starts it"),
    Column("request", JSONB, nullable=False, comment="The request as accepted; every secret reads ***"),
    Column("sealed", LargeBinary, comment="The encrypted login; removed when nothing of the task is left on its host"),
    Column("command", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="starting"),
    Column("exit_status", Integer),
    Column("log_size", BigInteger, nullable=False, server_default="0", comment="Bytes, when last seen"),
    Column(
        "told_offset",
        BigInteger,
        comment="Its webhook was told of so many bytes of log; null: it has none, or was told of the end",
    ),
    Column("submitted_by", Text, nullable=False, comment="Name of the API key"),
    timestamp("created_at", "Accepted", default_now=True),
    timestamp("started_at", "First seen on its host"),
    timestamp("ended_at", "Seen to have ended, or given up"),
    timestamp("last_seen_at", "A job last looked at it"),
    Column(
        "look_at",
        DateTime(timezone=True),
        server_default=text("now() + interval '1 minute'"),
        comment="When to look at it again unasked; null: never",
    ),
    Column("error", Text, comment="Why the last job about it failed; null: it did not"),
    CheckConstraint("state IN ('starting', 'running', 'exited', 'lost', 'stopped', 'failed')", name="state"),
    CheckConstraint("(state IN ('starting', 'running')) = (ended_at IS NULL)", name="ended"),
    # GET /detached-task?host=
    Index("detached_task_host_idx", "host", "id"),
    # Retention: a job, and the task that it started
    Index("detached_task_job_idx", "job_id"),
    # look_after_tasks
    Index("detached_task_look_idx", "look_at", postgresql_where=text("sealed IS NOT NULL")),
    comment="A command that runs on its host by itself, whatever becomes of our session",
)

template = Table(
    "template",
    metadata,
    Column("kind", Text, primary_key=True, comment="What renders or parses with it"),
    Column("name", Text, primary_key=True, comment="As clients refer to it: name://kind/name"),
    Column("version", Integer, nullable=False, comment="The latest"),
    Column("description", Text, nullable=False, comment="For people"),
    Column("sample", Text, nullable=False, comment="An example: a context in JSON, or a device's output"),
    timestamp("created_at", "First version", default_now=True),
    timestamp("updated_at", "Last change of text, description or sample", default_now=True),
    timestamp("removed_at", "Not null: it is gone; kept so that version numbers go on"),
    CheckConstraint("kind IN ('jinja2', 'textfsm', 'ttp', 'regex')", name="kind"),
    comment="Templates that clients refer to by name",
)

template_version = Table(
    "template_version",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False, comment="From 1"),
    Column("text", Text, nullable=False, comment="The template; never changes"),
    Column("created_by", Text, nullable=False, comment="Name of the API key; import: the command line"),
    timestamp("created_at", "Stored", default_now=True),
    ForeignKeyConstraint(["kind", "name"], [template.c.kind, template.c.name]),
    comment="What a template said from when on",
)
