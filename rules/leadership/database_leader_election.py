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

from coordlint import MEDIUM, WARNING, Found, Late, Operation, Place, System, found, rule, words

_LEADERS = frozenset({"leader", "leadership", "master", "primary", "elected", "election"})
_BEATS = frozenset({"heartbeat", "beat", "expire", "lease", "seen", "ping", "renewed", "until"})


@rule("CL406", severity=WARNING)
def database_leader_election(system: System) -> Iterator[Found]:
    told: set[str] = set()
    for write in system.operations(kind="database"):
        text = _statement(write)
        said = words(text) | words(write.key or "")
        if write.late in (Late.READ, Late.UNKNOWN) or not said & _LEADERS or not said & _BEATS or write.symbol in told:
            continue
        told.add(write.symbol)
        readers = [o for o in system.same_key(write) if o.late is Late.READ]
        yield found(
            f"Leadership hangs on a row of `{write.key}` that is refreshed by a timer.",
            at=write,
            because=[*((o.place, "and looked at here") for o in readers[:1]), *write.origin] or [(_place(write), "the statement")],
            confidence=MEDIUM,
        )


def _statement(write: Operation) -> str:
    return " ".join(str(a.value) if isinstance(a.value, str) else a.text for a in write.arguments)


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
