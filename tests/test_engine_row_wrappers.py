"""Functions that lock or claim rows for their callers: where the caller asks for it, and whatever else they read of these rows."""

from __future__ import annotations

from systems import system

from coordlint.system import System

ACCOUNTS = """
    import sqlalchemy as sa
    from sqlalchemy.orm import DeclarativeBase, Session
    class Base(DeclarativeBase):
        pass
    class Account(Base):
        __tablename__ = "account"
        id = sa.Column(sa.Integer, primary_key=True)
        owner = sa.Column(sa.String)
        version = sa.Column(sa.Integer)
    class Missing(Exception):
        pass
    def load(session: Session, owner, *, lock=False):
        query = session.query(Account).filter(Account.owner == owner)
        if lock:
            query = query.with_for_update()
        found = query.order_by(Account.id.desc()).first()
        if found is None:
            raise Missing(owner)
        return found
    def store(session: Session, account, values):
        changed = session.query(Account).filter(Account.id == account.id, Account.version == account.version).update(values)
        if changed != 1:
            raise Missing(account.id)
    """


def told(found: System) -> dict[int, tuple[str, str]]:
    return {u.place.line: (u.role, u.backend) for u in found.uses() if u.place.path == "app.py"}


def test_a_loader_locks_rows_only_for_callers_who_ask_for_it() -> None:
    app = """
        from accounts import load
        def show(session, owner):
            return render(load(session, owner))
        def spend(session, owner):
            account = load(session, owner, lock=True)
            account.amount -= 1
        def look(session, owner):
            return render(load(session, owner, lock=False))
        """
    assert told(system(accounts=ACCOUNTS, app=app)) == {6: ("lock", "database-row")}


def test_a_caller_that_hands_the_question_on_asks_as_its_own_callers_do() -> None:
    app = """
        from accounts import load
        def find(session, owner, lock=False):
            return load(session, owner, lock=lock)
        def show(session, owner):
            return render(find(session, owner))
        def spend(session, owner):
            account = find(session, owner, lock=True)
            account.amount -= 1
        """
    assert told(system(accounts=ACCOUNTS, app=app)) == {4: ("lock", "database-row"), 8: ("lock", "database-row")}


def test_an_alternative_to_nothing_is_not_known_to_be_nothing() -> None:
    app = """
        from accounts import load
        def spend(session, owner, settings):
            wanted = settings.strict or False
            account = load(session, owner, lock=wanted)
            account.amount -= 1
        """
    assert told(system(accounts=ACCOUNTS, app=app)) == {5: ("lock", "database-row")}


def test_an_update_by_version_whose_values_the_caller_gives_is_a_claim_for_the_caller() -> None:
    app = """
        from accounts import store
        def spend(session, account):
            store(session, account, {"version": account.version + 1, "amount": account.amount - 1})
        """
    assert told(system(accounts=ACCOUNTS, app=app)) == {4: ("occ", "database-row")}


def test_what_writes_records_besides_is_business() -> None:
    app = """
        from accounts import Account, Session, load
        def open_second(session: Session, owner):
            first = load(session, owner, lock=True)
            session.add(Account(owner=owner))
            session.add(Account(owner=first.owner))
            return first
        def page(session, owner):
            return render(open_second(session, owner))
        """
    assert 9 not in told(system(accounts=ACCOUNTS, app=app))


SWAP = """
    from sqlalchemy.orm import Session
    def swap(session, model, values, expected_values):
        query = session.query(model).filter_by(**expected_values)
        return 0 != query.update(values)
    """


def test_an_update_on_what_a_caller_expects_is_optimistic_for_the_caller() -> None:
    app = """
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session
        from store import swap
        class Base(DeclarativeBase):
            pass
        class Desk(Base):
            __tablename__ = "desks"
            n: Mapped[int]
        def more(session: Session, desk):
            return swap(session, Desk, {"n": desk.n + 1}, {"id": desk.id, "n": desk.n})
        """
    told = {(u.place.path, u.role, u.backend) for u in system(store=SWAP, app=app).uses()}
    assert told == {("store.py", "occ", "database-row"), ("app.py", "occ", "database-row")}


def test_the_module_that_answers_for_a_database_interface_is_looked_through() -> None:
    door = """
        from oslo_db import api
        BACKENDS = {"sqlalchemy": "store"}
        IMPL = api.DBAPI("sqlalchemy", backend_mapping=BACKENDS)
        def swap(session, model, values, expected):
            return IMPL.swap(session, model, values, expected)
        """
    assert [u.via for u in system(store=SWAP, door=door).uses() if u.place.path == "door.py"] == [("swap",)]


def test_helpers_that_build_the_query_of_a_claim_are_no_other_work() -> None:
    store = """
        from sqlalchemy.orm import Session
        def visible(session, model):
            check(model)
            note(model)
            warn(model)
            return session.query(model)
        def swap(session, model, values, expected_values):
            query = visible(session, model).filter_by(**expected_values)
            return 0 != query.update(values)
        """
    app = "from store import swap\ndef more(session, desk):\n    return swap(session, type(desk), {'n': 1}, {'n': 0})\n"
    assert [(u.role, u.via) for u in system(store=store, app=app).uses() if u.place.path == "app.py"] == [("occ", ("swap",))]
