"""The feedback database: SQLite or PostgreSQL behind one way to open it, and tables made when they are missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DataError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session

from text_recognizer.service.feedback.records import FeedbackUnavailable, feedback_database, utc_now
from text_recognizer.service.feedback.tables import FEEDBACK, Schema

PATIENCE = 15.0  # seconds to wait for another process that writes
_SCHEMA_LOCK = 0x7465_7874_7265_6164  # any number, the same in every process


class Database:
    """A database with the tables of a schema. Nothing is opened before the first transaction.

    Raises ValueError for a URL of another kind, or where its driver is not installed.
    """

    def __init__(self, url: str, schema: Schema = FEEDBACK) -> None:
        parsed = database_url(url)
        self.name = parsed.render_as_string(hide_password=True)
        self.engine = open_engine(parsed)
        self._schema = schema
        self._writer = for_writing(self.engine)
        self._prepared = False

    @contextmanager
    def transaction(self, write: bool = False) -> Iterator[Session]:
        """Everything inside is stored at its end, or nothing where it raises. Raises FeedbackUnavailable."""
        try:
            if not self._prepared:  # two threads may both do it, as two processes may
                prepare(self.engine, self._schema)
                self._prepared = True
            with Session(self._writer if write else self.engine) as session, session.begin():
                yield session
        except FeedbackUnavailable:
            raise
        except DataError as error:
            raise ValueError(f"the feedback database refuses a value: {error.orig}") from error
        except (SQLAlchemyError, OSError) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise FeedbackUnavailable(f"the feedback database {self.name} cannot be used: {reason}") from error

    def purge(self, times: Iterable[InstrumentedAttribute[datetime]], days: int, now: datetime | None = None) -> int:
        """Delete rows that are more than so many days old; returns how many. times: of each table, the column that
        says how old a row is. Raises FeedbackUnavailable."""
        limit = (now or utc_now()) - timedelta(days=days)
        with self.transaction(write=True) as session:
            return sum(delete_rows(session, time.class_, time < limit) for time in times)

    def close(self) -> None:
        """Close the connections. A database that is used again opens new ones."""
        self.engine.dispose()


def delete_rows(session: Session, table: Any, condition: ColumnElement[bool]) -> int:
    """Delete the rows of a table, none of which the session holds; returns how many."""
    done = session.execute(delete(table).where(condition), execution_options={"synchronize_session": False})
    return int(done.rowcount)  # type: ignore[attr-defined]


def insert_once(session: Session, row: DeclarativeBase) -> bool:
    """Insert a row; False where another process was faster, and then nothing has changed."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return False
    return True


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


def existing_database(url: str = "") -> str:
    """The URL of a database that is there already: the one given, or the server's own.

    Raises FileNotFoundError where a SQLite file is missing, which opening it would make, and what `database_url` does.
    """
    chosen = url or feedback_database()
    parsed = database_url(chosen)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise FileNotFoundError(f"there is no database at {parsed.database}: has a server run here?")
    return chosen


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


def prepare(engine: Engine, schema: Schema = FEEDBACK) -> None:
    """Make the tables where they are missing; several processes may do so at once.

    Raises FeedbackUnavailable where the tables are of a newer version, and SQLAlchemyError.
    """
    sqlite = engine.dialect.name == "sqlite"
    if sqlite and not str(engine.url.database).startswith("file:"):
        Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    with engine.connect() as connection:
        if _is_current(connection, schema):  # the ordinary case needs no lock and no right to write
            return
    if sqlite:
        _switch_to_wal(engine)
    with for_writing(engine).begin() as connection:
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        if not _is_current(connection, schema):  # nobody else was faster
            schema.tables.create_all(connection)
            connection.execute(insert(schema.versions).values(id=1, version=schema.version))


def _is_current(connection: Connection, schema: Schema) -> bool:
    """Whether the tables are there. A later version that changes them migrates older ones here."""
    if not inspect(connection).has_table(schema.versions.name):
        return False
    version = connection.scalar(select(schema.versions.c.version))
    if version is not None and version > schema.version:
        raise FeedbackUnavailable(
            f"the feedback database has tables of version {version}, this program knows version {schema.version}: "
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
