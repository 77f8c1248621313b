"""Places in the database where a transaction fails, or waits until somebody is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from tests.support.concurrency import bystander, wait_for_waiters

_KEY = 0x46_41_55_4C_54  # "FAULT"


@contextmanager
def trigger(url: str, table: str, action: str, *, at_commit: bool) -> Iterator[None]:
    """Do `action` (PL/pgSQL) for every row written to the table: at the statement, or at COMMIT."""
    kind, when = (
        ("CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED") if at_commit else ("TRIGGER", "")
    )
    with bystander(url) as engine:
        with engine.begin() as connection:
            connection.execute(
                text(
                    "CREATE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS"
                    f" $$ BEGIN {action}; RETURN NULL; END $$"
                )
            )
            connection.execute(
                text(
                    f"CREATE {kind} zz_fault AFTER INSERT OR UPDATE ON {table} {when}"
                    " FOR EACH ROW EXECUTE FUNCTION public.fault()"
                )
            )
        try:
            yield
        finally:
            with engine.begin() as connection:
                connection.execute(text("DROP FUNCTION public.fault CASCADE"))


def let_wait(url: str, lock_timeout: str) -> None:
    """How long connections opened from now on wait for a lock in this database."""
    with bystander(url) as engine, engine.begin() as connection:
        database = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(
            text(
                f"ALTER ROLE CURRENT_USER IN DATABASE {database}"
                f" SET lock_timeout = '{lock_timeout}'"
            )
        )


class Gate:
    """A closed gate before which transactions wait."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._holder = engine.connect()
        self._holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _KEY})
        self._holder.commit()

    def wait_for(self, number: int = 1) -> None:
        """Return as soon as so many wait."""
        wait_for_waiters(self._engine, number)

    def open(self) -> None:
        """Let them pass; a second time there is nothing to do."""
        if not self._holder.closed:
            self._holder.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _KEY})
            self._holder.commit()
            self._holder.close()


@contextmanager
def gate(url: str, table: str, *, at_commit: bool) -> Iterator[Gate]:
    """A gate at every write to the table, closed until opened."""
    let_wait(url, "20s")  # a busy machine may need a while to bring everybody to the gate
    wait = f"PERFORM pg_advisory_xact_lock_shared({_KEY})"
    with trigger(url, table, wait, at_commit=at_commit), bystander(url) as engine:
        closed = Gate(engine)
        try:
            yield closed
        finally:
            closed.open()
