"""The keys with which devices prove who they are, and the logins that rest after refusals."""

import sqlalchemy as sa
from alembic import op

from migrations.sqlfile import run_sql_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FUNCTIONS = ("learn_host_key", "begin_login", "end_probe", "login_refused")


def upgrade() -> None:
    """Create both tables and their functions."""
    op.create_table(
        "host_key",
        sa.Column("address", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("kind", sa.Text(), nullable=False, comment="ssh-ed25519, …; x509 for a certificate"),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="SHA256:… of the key's blob, or of the DER form"),
        sa.Column("source", sa.Text(), nullable=False, comment="learnt: at the first login; entered: by a person"),
        sa.Column(
            "first_seen_at", sa.DateTime(timezone=True), nullable=True, comment="Null: entered, and not seen yet"
        ),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True, comment="To the day"),
        sa.CheckConstraint("source IN ('learnt', 'entered')", name=op.f("host_key_source_check")),
        sa.PrimaryKeyConstraint("address", "kind", name=op.f("host_key_pkey")),
        schema="netpulse",
        comment="The keys and certificates with which devices prove who they are",
    )
    op.create_table(
        "circuit",
        sa.Column("device_key", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("login", sa.Text(), nullable=False, comment="Keyed digest of the whole login, secrets included"),
        sa.Column("username", sa.Text(), nullable=True, comment="Whose login; null where the driver has no users"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="Refusals in a row"),
        sa.Column(
            "opened_until", sa.DateTime(timezone=True), nullable=True, comment="Rests until then; null: it does not"
        ),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=False, comment="Last refusal"),
        sa.PrimaryKeyConstraint("device_key", "login", name=op.f("circuit_pkey")),
        schema="netpulse",
        comment="Logins that devices refused since they last accepted them; after too many in a row one rests",
    )
    for name in FUNCTIONS:
        run_sql_file(f"0006/{name}.sql")


def downgrade() -> None:
    """Drop it all: what was trusted, and what rests."""
    op.execute("DROP FUNCTION netpulse.login_refused (text, text, text, integer, double precision)")
    op.execute("DROP FUNCTION netpulse.end_probe (text, text, timestamptz)")
    op.execute("DROP FUNCTION netpulse.begin_login (text, text, double precision)")
    op.execute("DROP FUNCTION netpulse.learn_host_key (text, text, text)")
    op.drop_table("circuit", schema="netpulse")
    op.drop_table("host_key", schema="netpulse")
