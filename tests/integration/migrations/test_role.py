"""The database role of a service that cannot change its audit trail."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import errors, sql

from app import migrations
from app.postgres import EmbeddedPostgres
from drivers.lab import LabProcess
from tests import postgres
from tests.stack import SHORT_LIVED, Stack, outputs_of
from tests.waiting import DEADLINE_S, until

EVENT = "INSERT INTO netpulse.audit_event (action, allowed) VALUES ('test', true)"
REFUSED = {
    "update": "UPDATE netpulse.audit_event SET actor = 'nobody'",
    "delete": "DELETE FROM netpulse.audit_event",
    "forged-delete": "SET LOCAL netpulse.removes_audit_events = 'yes'; DELETE FROM netpulse.audit_event",
    "truncate": "TRUNCATE netpulse.audit_event",
    "disable-trigger": "ALTER TABLE netpulse.audit_event DISABLE TRIGGER audit_event_keep",
    "drop-trigger": "DROP TRIGGER audit_event_keep ON netpulse.audit_event",
    "replace-trigger": "CREATE OR REPLACE FUNCTION netpulse.keep_audit_events() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NULL; END'",
    "another-trigger": "CREATE TRIGGER lies BEFORE INSERT ON netpulse.audit_event FOR EACH ROW "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "replica": "SET session_replication_role = replica",
    "drop": "DROP TABLE netpulse.audit_event",
    "own": "ALTER TABLE netpulse.audit_event OWNER TO CURRENT_USER",
    "rule": "CREATE RULE lies AS ON INSERT TO netpulse.audit_event DO INSTEAD NOTHING",
    "retention": "SELECT netpulse.remove_audit_events(now() - interval '91 days', 1)",
    "choose-id": "INSERT INTO netpulse.audit_event (id, action, allowed) OVERRIDING SYSTEM VALUE VALUES (9, 'a', true)",
    "choose-next-id": "SELECT setval(pg_get_serial_sequence('netpulse.audit_event', 'id'), 1)",
    "revision": "UPDATE netpulse.alembic_version SET version_num = '0001'",
    "rights": "GRANT DELETE ON netpulse.audit_event TO CURRENT_USER; DELETE FROM netpulse.audit_event",
}


def as_role(url: str, role: str) -> str:
    """`url` for a session that begins as its user, who becomes `role`.

    The embedded server lets in no other role by itself (peer authentication), so this stands for a login.
    """
    return f"{url}{'&' if '?' in url else '?'}options={quote(f'-c role={role}', safe='')}"


@pytest.fixture
def service_url(database: str) -> Iterator[str]:
    """`database` as a role that has nothing but netpulse_app."""
    role = f"netpulse_app_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE netpulse_app").format(sql.Identifier(role)))
        try:
            yield as_role(database, role)
        finally:
            owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


@pytest.fixture
def service(service_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(service_url) as connection:
        yield connection
        connection.rollback()


def test_it_is_no_owner(service: psycopg.Connection) -> None:
    row = service.execute(
        "SELECT rolsuper, rolcreaterole, rolbypassrls, pg_has_role(rolname, (SELECT relowner FROM pg_class "
        "WHERE oid = 'netpulse.audit_event'::regclass), 'MEMBER') FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row == (False, False, False, False)


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_what_the_service_cannot_do(service: psycopg.Connection, statement: str) -> None:
    service.execute(EVENT)
    with pytest.raises(errors.InsufficientPrivilege):
        service.execute(statement)


def test_it_reads_and_adds_events(service: psycopg.Connection) -> None:
    service.execute(EVENT)
    service.execute("""SELECT netpulse.record_audit_events('[{"action": "b", "allowed": false}]')""")
    assert service.execute("SELECT action FROM netpulse.audit_event ORDER BY id").fetchall() == [("test",), ("b",)]


def test_a_delete_is_refused_to_it_even_with_the_right(database: str, service: psycopg.Connection) -> None:
    """An administrator may grant too much: the trigger still refuses, and the setting alone opens nothing."""
    with psycopg.connect(database) as owner:
        owner.execute(EVENT)
        owner.execute("GRANT UPDATE, DELETE, TRUNCATE ON netpulse.audit_event TO netpulse_app")
    for name in ("update", "delete", "forged-delete", "truncate"):
        with pytest.raises(errors.InsufficientPrivilege, match="audit events are never changed"):
            service.execute(REFUSED[name])
        service.rollback()


def test_later_tables_are_its_too(database: str, service: psycopg.Connection) -> None:
    with psycopg.connect(database) as owner:
        owner.execute("CREATE TABLE netpulse.later (id bigserial PRIMARY KEY, text text)")
    service.execute("INSERT INTO netpulse.later (text) VALUES ('a')")
    service.execute("UPDATE netpulse.later SET text = 'b'")
    service.execute("DELETE FROM netpulse.later")


def test_the_way_back_takes_its_rights(database: str, service_url: str) -> None:
    migrations.downgrade(database, "0011")
    with psycopg.connect(service_url) as service, pytest.raises(errors.InsufficientPrivilege):
        service.execute("SELECT FROM netpulse.job")
    with psycopg.connect(database) as owner:
        left = owner.execute(
            "SELECT objid FROM pg_shdepend WHERE refobjid = to_regrole('netpulse_app') AND refclassid = "
            "'pg_authid'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    assert left == []


@pytest.fixture(scope="module")
def bare_server() -> Iterator[str]:
    """URL of a server of its own: roles are the whole server's, and on this one nobody has migrated yet."""
    with postgres.open_directory() as directory, EmbeddedPostgres(directory / "data", durable=False) as server:
        yield server.url("postgres")


@pytest.fixture
def bare(bare_server: str) -> Iterator[str]:
    """URL of an empty database there; afterwards the role is gone again."""
    with postgres.new_database(bare_server) as url:
        yield url
    with psycopg.connect(bare_server) as admin:
        admin.execute("DROP ROLE netpulse_app")


def test_without_the_right_an_administrator_makes_the_role(bare: str) -> None:
    with psycopg.connect(bare, autocommit=True) as admin:
        admin.execute("CREATE ROLE site_owner NOLOGIN")
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO site_owner").format(sql.Identifier(admin.info.dbname)))
        admin.execute("GRANT CREATE ON SCHEMA public TO site_owner")
        migrations.upgrade(as_role(bare, "site_owner"))
        with psycopg.connect(as_role(bare, "site_owner"), autocommit=True) as owner:
            said: list[str | None] = []
            owner.add_notice_handler(lambda notice: said.append(notice.message_primary))
            assert owner.execute("SELECT netpulse.grant_service_role()").fetchone() == (False,)
            assert "CREATE ROLE netpulse_app NOLOGIN" in str(said)
            admin.execute("CREATE ROLE netpulse_app NOLOGIN")
            assert owner.execute("SELECT netpulse.grant_service_role()").fetchone() == (True,)
            rights = (
                "SELECT has_table_privilege('netpulse_app', 'netpulse.' || t, 'DELETE') FROM unnest(%s::text[]) AS t"
            )
            assert owner.execute(rights, [["job", "audit_event"]]).fetchall() == [(True,), (False,)]
        migrations.downgrade(as_role(bare, "site_owner"), "0011")
        admin.execute("DROP OWNED BY site_owner CASCADE")
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO netpulse").format(sql.Identifier(admin.info.dbname)))
        admin.execute("DROP ROLE site_owner")


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_two_databases_migrate_at_once(bare_server: str, bare: str, end: str) -> None:
    """Another one has just made the role, and its revisions end, well or not, while ours wait for that."""
    upgrade = threading.Thread(target=migrations.upgrade, args=[bare])
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%grant_service_role%'"
    with psycopg.connect(bare_server, autocommit=True) as other, psycopg.connect(bare_server, autocommit=True) as look:
        other.execute("BEGIN")
        other.execute("CREATE ROLE netpulse_app NOLOGIN")
        upgrade.start()
        until(lambda: look.execute(waiting).fetchall(), "the upgrade waits")
        other.execute(end)
        upgrade.join(DEADLINE_S)
    assert migrations.current(bare) == migrations.head()
    with psycopg.connect(bare) as owner:
        granted = owner.execute("SELECT has_table_privilege('netpulse_app', 'netpulse.job', 'UPDATE')").fetchone()
    assert granted == (True,)


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(2) as process:
        yield process


def test_a_whole_site_runs_as_it(service_url: str, database: str, tmp_path: Path, lab: LabProcess) -> None:
    """Jobs, a cancel, a change, and the takeover of a dead worker's devices."""
    first, second = lab.devices[:2]
    with Stack(service_url, tmp_path, lab, settings=SHORT_LIVED) as stack:
        assert stack.rows("SELECT current_user <> session_user AS other") == [{"other": True}]
        assert "uptime" in outputs_of(stack.run(first, command="show version"))[0]
        assert stack.run(first, config="hostname changed")["status"] == "finished"
        successor = stack.start_worker()
        victim = next(worker for worker in stack.workers if worker is not successor)
        victim.kill()
        until(lambda: stack.rows("SELECT FROM netpulse.worker WHERE state = 'dead'"), "the dead worker is reaped")
        assert stack.run(first, command="show version")["status"] == "finished"
        successor.freeze()
        waiting = stack.submit(second, command="show version")
        assert stack.cancel(waiting)["cancelled_count"] == 1
        successor.thaw()
        assert "permission denied" not in stack.api.text() + victim.text() + successor.text()
    with psycopg.connect(database) as owner:
        actions = owner.execute("SELECT action, allowed FROM netpulse.audit_event ORDER BY id").fetchall()
    assert ("DELETE /job", True) in actions
