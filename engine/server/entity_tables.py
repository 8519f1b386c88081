"""Entities in tables: CSV, Parquet (the one door of DuckDB) and databases (the one door of SQLAlchemy).

No cell is cast: neither DuckDB nor SQLAlchemy says what a value means, since casts round, and take text for truth.
What the rows of a table are is in `engine/server/entity_rows.py`.
"""

from __future__ import annotations

import csv
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.finding import did_you_mean, one_of
from engine.server.entity import Reading, WrongEntities
from engine.server.entity_files import unreadable
from engine.server.entity_rows import Rows

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

# How many rows are fetched at a time.
CHUNK = 10_000
_INSTALL = "install it: pip install 'changegate[entities]'"


def read_csv(file: str, kind: str | None) -> Reading:
    """The entities of a CSV file with a header; raises WrongEntities."""
    reader: Any = None
    try:
        with Path(file).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            rows = Rows(columns, kind, file, lambda number: f"{file}:{number}") if columns else None
            for row in reader:
                if rows and row:
                    yield rows.entity(reader.line_num, row)
    except OSError as error:
        raise unreadable(file, error) from None
    except UnicodeDecodeError:
        raise WrongEntities(f"{file}: the file is no UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise WrongEntities(f"{file}:{reader.line_num}: not CSV: {error}; mend the quotes") from None


def read_parquet(file: str, kind: str | None) -> Reading:
    """The entities of a Parquet file, read through DuckDB; raises WrongEntities."""
    try:
        import duckdb  # noqa: PLC0415  # of the extra [entities]
    except ImportError:
        raise WrongEntities(f"{file}: DuckDB, which reads Parquet, is not there; {_INSTALL}") from None
    extensions = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    try:
        with duckdb.connect(":memory:", config=extensions) as connection:  # type: ignore[arg-type]
            found = connection.execute("SELECT * FROM read_parquet(?)", [file])
            columns = [column[0] for column in found.description]
            rows = Rows(columns, kind, file, lambda number: f"{file}, row {number}")
            yield from rows.entities(chain.from_iterable(iter(lambda: found.fetchmany(CHUNK), [])))
    except duckdb.Error as error:
        raise WrongEntities(f"{file}: not to be read as Parquet: {_first_line(error)}; write it anew") from None


def read_sql(source: str, kind: str | None) -> Reading:
    """The entities of a table or view, named `SQLALCHEMY-URL#table`; raises WrongEntities."""
    address, _, table = source.rpartition("#")
    if not address or not table:
        raise WrongEntities(f"`{source.partition('://')[0]}://…` names no table; write `SQLALCHEMY-URL#table`")
    try:
        import sqlalchemy  # noqa: PLC0415  # of the extra [entities]
    except ImportError:
        raise WrongEntities(f"the table `{table}`: SQLAlchemy, which reads it, is not there; {_INSTALL}") from None
    url = _url(address, table)
    shown = f"{url.set(query={}).render_as_string()}#{table}"
    try:
        with _connected(url, shown) as connection:
            yield from _table(connection, table, kind, shown)
    except sqlalchemy.exc.SQLAlchemyError as error:
        problem = _first_line(getattr(error, "orig", None) or error)
        problem = problem.replace(str(url.password), "***") if url.password else problem
        raise WrongEntities(f"{shown}: the table cannot be read: {problem}; mend the address or the table") from None


def _url(address: str, table: str) -> URL:
    """The address of a database, where there is one; it may hold a password, and is not shown."""
    import sqlalchemy  # noqa: PLC0415

    try:
        url = sqlalchemy.make_url(address)
        url.get_dialect()
    except (sqlalchemy.exc.ArgumentError, ValueError, ImportError):
        help_ = "write one that SQLAlchemy knows, such as `sqlite:///data.db#users`"
        raise WrongEntities(f"the table `{table}`: its address is none of a database; {help_}") from None
    file = url.database if url.get_backend_name() == "sqlite" else None
    # SQLite would make a database that is not there.
    if file and file != ":memory:" and not file.startswith("file:") and not Path(file).is_file():
        raise WrongEntities(f"{file}: no such file; name the file of a database")
    return url


def _connected(url: URL, shown: str) -> Connection:
    """A connection to a database."""
    import sqlalchemy  # noqa: PLC0415

    try:
        return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect()
    except ModuleNotFoundError as error:
        raise WrongEntities(f"{shown}: the driver `{error.name}` is not there; install it with pip") from None
    except (ValueError, TypeError):  # what they say would show the address
        raise WrongEntities(f"{shown}: what stands behind `?` in the address is refused; mend it") from None


def _table(connection: Connection, table: str, kind: str | None, shown: str) -> Reading:
    """The entities of a table: driver's values, since a type of SQLAlchemy's may round or cast."""
    import sqlalchemy  # noqa: PLC0415

    schema, _, name = table.rpartition(".")
    inspector = sqlalchemy.inspect(connection)
    try:
        columns = inspector.get_columns(name, schema or None)
    except sqlalchemy.exc.NoSuchTableError:
        known = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
        help_ = did_you_mean(name, known, f"known are {one_of(known)}" if known else "the database has none")
        raise WrongEntities(f"{shown}: no such table; {help_}") from None
    names = [column["name"] for column in columns]
    booleans = {place for place, column in enumerate(columns) if isinstance(column["type"], sqlalchemy.Boolean)}
    rows = Rows(names, kind, shown, lambda number: f"{shown}, row {number}", booleans)
    query = sqlalchemy.select(sqlalchemy.table(name, *map(sqlalchemy.column, names), schema=schema or None))
    yield from rows.entities(connection.execution_options(yield_per=CHUNK).execute(query))


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
