"""The feedback database: SQLite or PostgreSQL behind one way to open it, and tables made when they are missing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, OperationalError

from text_recognizer.service.feedback.records import FeedbackUnavailable
from text_recognizer.service.feedback.tables import SCHEMA_VERSION, Base, SchemaRow

PATIENCE = 15.0  # seconds to wait for another process that writes
_SCHEMA_LOCK = 0x7465_7874_7265_6164  # any number, the same in every process


def database_url(url: str) -> URL:
    """The URL of a database as SQLAlchemy takes it. Raises ValueError for anything but SQLite files and PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError("the feedback database is named by a URL: sqlite:///FILE or postgresql://HOST/NAME") from error
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(f"no feedback database of kind {parsed.drivername!r}: there are sqlite and postgresql")
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("the feedback database needs a file: sqlite:///FILE, with four slashes for an absolute path")
    return parsed


def open_engine(url: URL) -> Engine:
    """Connections to the database; none is made yet. Raises ValueError where the driver is not installed."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={} if "timeout" in url.query else {"timeout": PATIENCE})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    except ModuleNotFoundError as error:
        raise ValueError('PostgreSQL needs psycopg: pip install "text-recognizer[postgres]"') from error


def for_writing(engine: Engine) -> Engine:
    """The same connections; transactions begin as writers, so that what they read first cannot change under them."""
    return engine.execution_options(feedback_writes=True)


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions late and only before some statements
    connection.execute("PRAGMA synchronous=FULL")  # in WAL mode, NORMAL may lose acknowledged commits with the power
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # what somebody asked us to delete is overwritten


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes fails at once where another one wrote in between, however long it
    # would be ready to wait; one that begins as a writer waits.
    writes = connection.get_execution_options().get("feedback_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def prepare(engine: Engine) -> None:
    """Make the tables where they are missing; several processes may do so at once.

    Raises FeedbackUnavailable where the tables are of a newer version, and SQLAlchemyError.
    """
    sqlite = engine.dialect.name == "sqlite"
    if sqlite and not str(engine.url.database).startswith("file:"):
        Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        if _is_current(connection):  # the ordinary case needs no lock and no right to write
            return
    if sqlite:
        _switch_to_wal(engine)
    with for_writing(engine).begin() as connection:
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        if not _is_current(connection):  # nobody else was faster
            Base.metadata.create_all(connection)
            connection.execute(insert(SchemaRow).values(id=1, version=SCHEMA_VERSION))


def _is_current(connection: Connection) -> bool:
    """Whether the tables are there. A later version that changes them migrates older ones here."""
    if not inspect(connection).has_table(SchemaRow.__tablename__):
        return False
    version = connection.scalar(select(SchemaRow.version))
    if version is not None and version > SCHEMA_VERSION:
        raise FeedbackUnavailable(
            f"the feedback database has tables of version {version}, this program knows version {SCHEMA_VERSION}: "
            "use the program that made them, or a newer one"
        )
    return version is not None


def _switch_to_wal(engine: Engine) -> None:
    """Readers and a writer at once. SQLite does not wait for others here, so we do."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except engine.dialect.dbapi.OperationalError as error:  # type: ignore[union-attr]
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise OperationalError("PRAGMA journal_mode=WAL", None, error) from error
            time.sleep(0.05)
        finally:
            connection.close()
