"""Make oslo.db on SQLite safe for several writing processes.

oslo.db starts every session with a plain BEGIN. A transaction that reads first and writes later then fails at once
with "database is locked" when another process wrote in between; no busy timeout helps
(https://www.sqlite.org/lang_transaction.html). So reads go without a transaction, and one is started with BEGIN
IMMEDIATE right before the first write: writers wait for each other.
"""

import sqlalchemy
from sqlalchemy import event

READS = ("SELECT", "PRAGMA", "RELEASE", "ROLLBACK", "WITH")


def install():
    """Hook into every engine of this process."""

    @event.listens_for(sqlalchemy.engine.Engine, "before_cursor_execute", retval=True)
    def begin_before_the_first_write(conn, cursor, statement, parameters, context, executemany):
        if conn.dialect.name != "sqlite":
            return statement, parameters
        head = statement.lstrip()[:10].upper()
        if head.startswith("BEGIN"):
            return "SELECT 1", ()
        if not head.startswith(READS) and not cursor.connection.in_transaction:
            cursor.execute("BEGIN IMMEDIATE")
        return statement, parameters
