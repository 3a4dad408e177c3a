"""Leadership is decided by a heartbeat row in a database.

Why: a row that the leader touches every few seconds makes failover as slow as its time-out, since nobody notices sooner that
the leader is gone, and makes two leaders whenever the leader pauses for longer: it wakes up, does not look at the row again and
goes on. Comparing the application's clock with the row's time adds the difference between machines.

Instead: take an election from a coordination service, or hold a session-level advisory lock (`pg_try_advisory_lock`) whose loss
the session notices. Compare times with the database's clock only, and let the leader's writes carry the row's version.

Fine when: the work tolerates a gap of the time-out and two leaders for a moment, and says so.

Known misses: heartbeat rows under names that speak neither of leaders nor of heartbeats.

Sources: AWS Builders' Library, Leader election in distributed systems.
"""

from collections.abc import Iterator

from coordlint import (
    MEDIUM,
    WARNING,
    Found,
    Late,
    Operation,
    Place,
    System,
    found,
    is_lead_in_rows,
    rule,
    words,
)

_OWNER = frozenset({"leader", "master", "primary", "owner", "holder", "node", "instance", "host", "hostname", "worker", "by"})


@rule("CL406", severity=WARNING)
def database_leader_election(system: System) -> Iterator[Found]:
    by_table: dict[str, list[Operation]] = {}
    for write in system.operations(kind="database"):
        if is_lead_in_rows(write):
            by_table.setdefault(write.key or "", []).append(write)
    known = {w.symbol.rpartition(".")[0] for table, writes in by_table.items() if table for w in writes}
    unnamed = [w for w in by_table.pop("", []) if w.symbol.rpartition(".")[0] not in known]
    by_table.update({w.symbol: [w] for w in unnamed})
    for writes in by_table.values():  # one election each: taken here, renewed and given back elsewhere
        write = min(writes, key=lambda w: (w.late is Late.DELETE, not _names_leader(w), w.place))
        readers = [o for o in system.same_key(write) if o.late is Late.READ]
        renewals = [o for o in writes if o.symbol != write.symbol and o.late is not Late.DELETE]
        yield found(
            f"Leadership hangs on a row{f' of `{write.key}`' if write.key else ''} that is refreshed by a timer.",
            at=write,
            because=[
                *((o.place, "it is refreshed here") for o in renewals[:1]),
                *((o.place, "and looked at here") for o in readers[:1]),
                *write.origin,
            ]
            or [(_place(write), "the statement")],
            confidence=MEDIUM,
        )


def _names_leader(write: Operation) -> bool:
    """Whether it says who leads, and not only until when."""
    return any(words(column) & _OWNER for column, _ in write.writes)


def _place(write: Operation) -> Place:
    return next((a.place for a in write.arguments if a.place), write.place)


EXAMPLES = '''
=== bad: a heartbeat row, with an engine of another module
--- app/db.py
import psycopg2

connection = psycopg2.connect("dbname=app")
--- app/lead.py
from app.db import connection


def lead(me):
    cursor = connection.cursor()
    cursor.execute(  # finding: database-leader-election
        "UPDATE leader SET owner = %s, heartbeat_at = now() WHERE owner = %s OR heartbeat_at < now() - interval '30 s'",
        (me, me),
    )
    return cursor.rowcount == 1

=== bad: one election with three statements is told where it is won
--- app/lead.py
import psycopg2

connection = psycopg2.connect("dbname=app")


class Reign:
    def __init__(self, me):
        self.me = me

    def prolong(self):
        cursor = connection.cursor()
        cursor.execute("UPDATE leader_lease SET expires_at = now() + interval '30 s' WHERE owner = %s", (self.me,))
        return cursor.rowcount == 1

    def leave(self):
        connection.cursor().execute("DELETE FROM leader_lease WHERE owner = %s AND expires_at > now()", (self.me,))

    def win(self):
        cursor = connection.cursor()
        cursor.execute(  # finding: database-leader-election
            "UPDATE leader_lease SET owner = %s, expires_at = now() + interval '30 s' WHERE expires_at < now()", (self.me,)
        )
        return cursor.rowcount == 1

=== good: an advisory lock
--- app/lead.py
import psycopg2

connection = psycopg2.connect("dbname=app")


def lead():
    cursor = connection.cursor()
    cursor.execute("SELECT pg_try_advisory_lock(42)")
    return cursor.fetchone()[0]

=== good: workers report that they are alive
--- app/alive.py
import psycopg2

connection = psycopg2.connect("dbname=app")


def alive(me):
    cursor = connection.cursor()
    cursor.execute("UPDATE worker SET heartbeat_at = now() WHERE name = %s", (me,))
    connection.commit()

=== good: who leads a team
--- app/teams.py
import psycopg2

connection = psycopg2.connect("dbname=app")


def appoint(team, person):
    cursor = connection.cursor()
    cursor.execute("UPDATE team SET leader = %s WHERE id = %s", (person, team))
    connection.commit()
'''
