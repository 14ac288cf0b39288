"""Environments that do something else than Alembic's recipe: followed or refused."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql as composed

from larp_cli.errors import ExitCode
from tests.conftest import Larp, LarpProcess
from tests.databases import has, held_mutex, query, value, versions
from tests.projects import ForeignProject, foreign_project, sql
from tests.servers import Server

BEGIN = "    with context.begin_transaction():\n        context.run_migrations()\n"


@pytest.fixture
def project(tmp_path: Path) -> ForeignProject:
    """Two revisions with a table each."""
    built = foreign_project(tmp_path / "odd")
    built.chain(sql("CREATE TABLE one ()"), sql("CREATE TABLE two ()"))
    return built


def rewrite(project: ForeignProject, old: str, new: str) -> None:
    """Change env.py where it runs the migrations online."""
    text = project.environment.read_text()
    assert old in text
    head, _, tail = text.rpartition("def run(connection):")
    project.environment.write_text(head + "def run(connection):" + tail.replace(old, new, 1))


def test_migrations_outside_begin_transaction_are_no_success(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """Where nothing would be committed nothing is said to be applied."""
    rewrite(project, BEGIN, "    context.run_migrations()\n")
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stderr
    assert "begin_transaction" in outcome.stderr
    assert not has(database, "one")


def test_an_environment_that_commits_by_itself_is_followed(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """A commit after run_migrations() commits one revision after the other."""
    rewrite(project, BEGIN, "    context.run_migrations()\n    connection.commit()\n")
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert versions(database, "alembic_version") == ["r2"]


def test_an_environment_that_swallows_errors_does_not_run_for_ever(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """A run without an error and without progress is stopped."""
    project.chain(sql("SELECT 1/0"))
    swallowed = (
        "    try:\n        with context.begin_transaction():\n"
        "            context.run_migrations()\n    except Exception as error:\n"
        "        print(error)\n"
    )
    rewrite(project, BEGIN, swallowed)
    outcome = larp("db", "migrate", "r1", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stderr
    assert "hid why" in outcome.stderr


def test_an_environment_of_many_tenants_is_refused(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """One that runs the migrations several times is not followed for the first time only."""
    rewrite(project, BEGIN, BEGIN + BEGIN)
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.CONFIGURATION, outcome.stderr
    assert "2 times" in outcome.stderr
    assert not has(database, "one")


def test_the_version_table_is_found_where_the_environments_search_path_leads(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """A tenant's schema, set by env.py as a search path, is where larp looks too."""
    query(database, "CREATE SCHEMA tenant")
    built = foreign_project(
        tmp_path / "tenant",
        before="connection.execute(sa.text('SET search_path TO tenant')); connection.commit()",
    )
    built.chain(sql("CREATE TABLE one ()"), sql("CREATE TABLE two ()"))
    environment = {"DATABASE_URL": database}
    first = larp("db", "migrate", "-c", built.config, env=environment)
    again = larp("db", "migrate", "--json", "-c", built.config, env=environment)

    assert first.exit_code == ExitCode.OK, first.stderr
    assert (again.exit_code, again.document["changed"]) == (ExitCode.OK, False)
    assert versions(database, "tenant.alembic_version") == ["r2"]


def test_a_schema_named_like_the_role_does_not_hide_the_version_table(
    larp: Larp, project: ForeignProject, server: Server, database: str
) -> None:
    """A version table in public is found though the search path begins elsewhere."""
    environment = {"DATABASE_URL": database}
    larp("db", "migrate", "r1", "-c", project.config, env=environment)
    query(database, "CREATE SCHEMA larp_owner")
    status = larp("db", "status", "--json", "-c", project.config, env=environment)

    assert status.result["current"] == ["r1"]
    assert status.result["schema"] == "public"


@pytest.mark.parametrize("role", ["larp", "larp_manager"])
def test_our_books_do_not_draw_a_projects_tables_into_their_schema(
    larp: Larp, project: ForeignProject, server: Server, role: str
) -> None:
    """A role may be called like the tool: its tables go where they always went."""
    name = server.create()
    identifier = composed.Identifier(role)
    with psycopg.connect(server.administrator, autocommit=True) as administrator:
        administrator.execute(composed.SQL("DROP ROLE IF EXISTS {}").format(identifier))
        administrator.execute(
            composed.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD 'x y'").format(identifier)
        )
    url = server.url(name, user=role, password="x y")
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": url})

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert versions(url, "public.alembic_version") == ["r2"]
    assert has(url, "public.two")


def test_the_books_are_found_whoever_looks(
    larp: Larp, project: ForeignProject, server: Server
) -> None:
    """What a role without rights on the database stamped also guards against a superuser."""
    name = server.create()
    server.execute(f"ALTER DATABASE {name} OWNER TO postgres")
    server.execute("GRANT CREATE ON SCHEMA public TO larp_owner", name)
    owner = {
        "DATABASE_URL": server.url(name),
        "ENVIRONMENT": "staging",
    }
    assert larp("db", "migrate", "-c", project.config, env=owner).exit_code == ExitCode.OK
    stray = {"DATABASE_URL": f"{server.administrator}&dbname={name}"}
    outcome = larp("db", "reset", "--yes", "--no-backup", "-c", project.config, env=stray)

    assert outcome.exit_code == ExitCode.REFUSED, outcome.stderr
    assert "staging" in outcome.stderr
    assert has(server.url(name), "public.two")


def test_a_comment_before_concurrently_changes_nothing(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """An invalid index is rebuilt also where a comment stands before the statement."""
    built = foreign_project(tmp_path / "comment")
    statement = "-- one name each\\n/* really */ CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS"
    built.chain(
        sql("CREATE TABLE people (name text)", "INSERT INTO people VALUES ('a'), ('a')"),
        f"""
        with op.get_context().autocommit_block():
            op.execute("{statement} people_name ON people (name)")
        """,
    )
    environment = {"DATABASE_URL": database}
    assert larp("db", "migrate", "-c", built.config, env=environment).exit_code == 8
    query(database, "TRUNCATE people")
    assert larp("db", "migrate", "-c", built.config, env=environment).exit_code == 0
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'people_name'::regclass"
    assert value(database, valid) is True


def test_a_revision_that_committed_a_part_is_not_tried_again(
    larp: Larp, tmp_path: Path, database: str
) -> None:
    """A lock timeout after an autocommit block ends in 7, and says that parts are committed."""
    built = foreign_project(tmp_path / "parts")
    built.chain(
        sql("CREATE TABLE busy (id bigint)"),
        """
        op.execute("CREATE TABLE fresh (id bigint)")
        with op.get_context().autocommit_block():
            op.execute("CREATE INDEX CONCURRENTLY fresh_id ON fresh (id)")
        op.execute("ALTER TABLE busy ADD COLUMN x text")
        """,
    )
    environment = {"DATABASE_URL": database, "MIGRATION_LOCK_TIMEOUT": "0.2"}
    larp("db", "migrate", "r1", "-c", built.config, env=environment)
    with psycopg.connect(database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(1)")
        with psycopg.connect(database) as blocker:
            # CONCURRENTLY waits for older snapshots, a lock alone does not hold it up.
            blocker.execute("LOCK TABLE busy IN ACCESS SHARE MODE")
            outcome = larp("db", "migrate", "-c", built.config, env=environment)

    assert outcome.exit_code == ExitCode.LOCKED, outcome.stderr
    assert "parts of this one" in outcome.stderr


TENANCY = """
from alembic import context

def choose():
    connection = context.config.attributes["connection"]
    connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS tenant")
    connection.exec_driver_sql("SET search_path TO tenant")
    connection.commit()
"""


def test_an_environment_that_does_not_do_what_its_text_says_is_followed(
    larp: Larp,
    project: ForeignProject,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A version table that imported code moves is found where it is, before anything runs."""
    (tmp_path / "odd" / "tenancy.py").write_text(TENANCY)
    monkeypatch.syspath_prepend(tmp_path / "odd")
    rewrite(project, "    pass\n", "    import tenancy\n    tenancy.choose()\n")
    outcome = larp("db", "migrate", "--json", "-c", project.config, env={"DATABASE_URL": database})
    again = larp("db", "migrate", "--json", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.OK, outcome.stdout
    assert outcome.result["schema"] == "tenant"
    assert versions(database, "tenant.alembic_version") == ["r2"]
    assert not has(database, "public.alembic_version")
    assert (again.exit_code, again.document["changed"]) == (ExitCode.OK, False)


def test_what_env_py_sets_for_its_transaction_holds_for_every_revision(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """SET LOCAL would end with the first commit: env.py is entered for each revision."""
    query(database, "CREATE SCHEMA tenant")
    run = "        context.run_migrations()\n"
    set_local = 'connection.execute(sa.text("SET LOCAL search_path TO tenant, public"))'
    rewrite(project, run, f"        {set_local}\n{run}")
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert has(database, "tenant.one")
    assert has(database, "tenant.two")
    assert not has(database, "public.two")


def test_a_role_that_env_py_sets_owns_what_is_made_and_not_the_books(
    larp: Larp, project: ForeignProject, server: Server
) -> None:
    """SET ROLE is the author's will; the ledger is kept by the role that logged in."""
    name = server.create()
    server.execute("CREATE ROLE app_owner")
    try:
        server.execute("GRANT app_owner TO larp_owner")
        server.execute("GRANT CREATE ON SCHEMA public TO app_owner", name)
        url = server.url(name)
        rewrite(project, "    pass\n", '    connection.execute(sa.text("SET ROLE app_owner"))\n'
                "    connection.commit()\n")  # fmt: skip
        outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": url})
        owner = value(url, "SELECT tableowner FROM pg_tables WHERE tablename = 'two'")
        books = value(url, "SELECT count(*) FROM larp_bookkeeping.larp_ledger")
    finally:
        server.execute("DROP OWNED BY app_owner CASCADE", name)
        server.execute("DROP ROLE app_owner")

    assert outcome.exit_code == ExitCode.OK, outcome.stderr
    assert (owner, books) == ("app_owner", 2)


def test_an_environment_that_closes_its_connection_is_refused_before_anything_runs(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """A with block around the connection would end it under larp."""
    text = project.environment.read_text()
    project.environment.write_text(
        text.replace("        run(connectable)", "        with connectable: run(connectable)")
    )
    outcome = larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.CONFIGURATION
    assert "closes the connection" in outcome.stderr
    assert not has(database, "one")


def test_a_project_without_its_revision_files_is_refused(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """An image that forgot to copy them must not look as if there were nothing to do."""
    versions_directory = project.environment.parent / "versions"
    for path in versions_directory.iterdir():
        path.unlink() if path.is_file() else None
    if (versions_directory / "__pycache__").exists():
        (versions_directory / "__pycache__").rmdir()
    versions_directory.rmdir()
    environment = {"DATABASE_URL": database}
    for command in ("migrate", "status", "plan"):
        outcome = larp("db", command, "-c", project.config, env=environment)
        assert outcome.exit_code == ExitCode.CONFIGURATION, command
        assert str(versions_directory) in outcome.stderr


def test_a_role_that_may_only_read_the_project_may_look(
    larp: Larp, project: ForeignProject, server: Server
) -> None:
    """The tables of larp are not its to read, and it does without them."""
    name = server.create()
    url = server.url(name)
    larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": url})
    server.execute("CREATE ROLE onlooker LOGIN PASSWORD 'onlooker'")
    try:
        query(url, "GRANT SELECT ON alembic_version TO onlooker")
        environment = {"DATABASE_URL": server.url(name, user="onlooker", password="onlooker")}
        codes = [
            larp("db", command, "-c", project.config, env=environment).exit_code
            for command in ("status", "history", "plan", "migrate")
        ]
    finally:
        server.execute("DROP OWNED BY onlooker", name)
        server.execute("DROP ROLE onlooker")

    assert codes == [ExitCode.OK] * 4


def test_an_invalid_index_in_any_schema_of_a_foreign_project_is_seen(
    larp: Larp, project: ForeignProject, server: Server
) -> None:
    """Its tables may be elsewhere than its version table."""
    name = server.create()
    url = server.url(name)
    larp("db", "migrate", "-c", project.config, env={"DATABASE_URL": url})
    query(url, "CREATE SCHEMA shop")
    query(url, "CREATE TABLE shop.cart (id int)")
    query(url, "CREATE INDEX cart_id ON shop.cart (id)")
    server.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.cart_id'::regclass", name
    )
    status = larp("db", "status", "--json", "-c", project.config, env={"DATABASE_URL": url})
    check = larp("db", "check", "--json", "-c", project.config, env={"DATABASE_URL": url})

    assert status.result["invalid_indexes"] == ["shop.cart_id"]
    assert "invalid_index" in {finding["code"] for finding in check.result["findings"]}


def test_what_a_revisions_own_programs_print_does_not_spoil_the_document(
    larp_process: LarpProcess, tmp_path: Path, database: str
) -> None:
    """Stdout is the result, whoever writes to it."""
    built = foreign_project(tmp_path / "talks")
    built.chain('import subprocess\nsubprocess.run(["echo", "hello from below"], check=True)')
    outcome = larp_process(
        "db", "migrate", "--json", "-c", built.config, env={"DATABASE_URL": database}
    )

    assert outcome.document["exit_code"] == 0
    assert "hello from below" in outcome.stderr


def test_the_ledger_holds_no_secret(larp: Larp, tmp_path: Path, database: str) -> None:
    """What a revision blurts out is hidden before it is written down."""
    key = "Zp8vQ2mT7rW4xK9sL3nB6cD1fG5hJ0aE"
    built = foreign_project(tmp_path / "blurts")
    built.chain(f'raise RuntimeError("the key is {key}")')
    environment = {"DATABASE_URL": database, "SECRET_KEY": key}
    outcome = larp("db", "migrate", "-c", built.config, env=environment)
    history = larp("db", "history", "--json", "-c", built.config, env={"DATABASE_URL": database})

    assert outcome.exit_code == ExitCode.MIGRATION_FAILED
    assert "the key is" in history.result["runs"][0]["error"]
    assert key not in history.stdout + outcome.stderr


def test_the_session_of_an_earlier_migrator_is_waited_for(
    larp: Larp, project: ForeignProject, database: str
) -> None:
    """While the server still works for a migrator that died, the next one runs nothing."""
    environment = {"DATABASE_URL": database, "MIGRATION_MUTEX_WAIT": "0.3"}
    with held_mutex(database, "public:worker"):
        outcome = larp("db", "migrate", "-c", project.config, env=environment)

    assert outcome.exit_code == ExitCode.LOCKED, outcome.stderr
    assert "another migration is running (pid " in outcome.stderr
    assert not has(database, "one")
