"""A leader's effects carry no epoch, and nothing re-checks that it still leads before them.

Why: no election can promise that only one process acts as the leader at a time. kazoo's `Election.run` calls the function
once and does not interrupt it when the session is lost; the Kubernetes Python client goes on running `onstarted_leading` in
a thread after the renewal has failed. The old leader then writes beside the new one, after a pause, a partition or a slow
disk, and the last writer wins whoever it is.

The same happens where the renewal itself cannot fail: EXPIRE on the leader's key prolongs it whoever holds it, so that a leader that was
paused beyond its lease never hears of its successor, keeps that one's key alive, and works on.

And where a flag says that the process leads, which a thread sets and clears as it renews the lease: a loop that looks at it once and then
goes through many things acts on what was true when it began.
Nor does it help to renew by the rules where a renewal that fails is only logged: with the store out of reach the flag stays as it is, and the lease runs out.

And it happens before the first reign: the constructor of Celery's Scheduler calls setup_schedule(), so a scheduler that writes its entries there
has changed what all share before it asks for the leadership, also where another leads.

Instead: give each reign a number that grows (ZooKeeper: the number at the end of `election.lock.node`, etcd: the key's create
revision) and let the sink refuse smaller ones; check before each round of work that the leadership still holds, with a flag that
the session listener clears at SUSPENDED and LOST; on Kubernetes end the process in `onstopped_leading` with `os._exit`.

Fine when: the effects are conditional or harmless when late; a listener for the loss of the session stops the loop; on Kubernetes
`onstopped_leading` ends the process at once.

Known misses: a handler of one's own in `onstopped_leading` that only sets a flag, or raises in its thread, is not followed.

Sources: kazoo source, Election.run; client-go, leaderelection (does not guarantee that only one client acts as leader); etcd
documentation, etcd versus other key-value stores (notes on the usage of lock and lease).
"""

from collections.abc import Iterator

from coordlint import (
    ERROR,
    HIGH,
    MEDIUM,
    WARNING,
    Effect,
    Evidence,
    Found,
    Op,
    Operation,
    Place,
    Section,
    System,
    call_name,
    deaf,
    delegated,
    distinct,
    does_late,
    effect_name,
    fence_for,
    found,
    led_on,
    lock_name,
    never_told,
    reigns,
    rule,
    trail,
    unchecked_renewals,
)

ON_LOSS = "onstopped_leading"  # of the Kubernetes client's Config


@rule("CL402", severity=WARNING)
def leader_without_fencing(system: System) -> Iterator[Found]:
    configs = [o for o in system.operations(Op.MAKE_ELECTION) if o.argument(ON_LOSS) is not None and not o.in_test]
    yield from reigns_without_end(system, configs)
    yield from leads_on(system)
    yield from behind_a_flag(system)
    yield from stays_leader(system)
    yield from beside_the_renewal(system)
    yield from chosen_for_life(system)
    yield from acts_before(system)
    handled = {o.backend for o in configs}
    for section in system.critical_sections(distributed=True):
        if section.lock.backend in handled:
            continue  # told above, or something is done when the reign ends
        if section.lock.model.kind != "election" or section.checked or _listens_for_loss(system, section):
            continue
        unfenced = [e for e in section.effects if _is_unfenced(e)]
        effect = next((e for e in unfenced if not _is_of_election(e, section)), next(iter(unfenced), None))
        if effect is None:
            continue
        yield found(
            f"The leader elected by {lock_name(section.lock)} performs {effect_name(effect.operation)} without an epoch and without asking "
            f"whether it still leads; done late, it {does_late(effect.operation)}.",
            at=section,
            because=distinct([*trail(section, effect), *_reign(system, effect)], besides=section.acquired),
            confidence=MEDIUM if section.unresolved else HIGH,
            help=fence_for(effect, section.lock),
        )


def leads_on(system: System) -> Iterator[Found]:
    """A leader whose renewal cannot fail, and who therefore never learns that another leads."""
    told: set[Place] = set()
    for renewal in unchecked_renewals(system):
        effect = led_on(system, renewal)
        if effect is None or renewal.operation.place in told:
            continue
        told.add(renewal.operation.place)
        yield found(
            f"{call_name(renewal.operation)} prolongs the leadership whoever holds it: a deposed leader never learns that it was, and goes on to "
            f"{effect_name(effect)}; done late, it {does_late(effect)}.",
            at=renewal.operation,
            because=[(effect.place, "the leader works here"), (renewal.taken, "the leadership is taken here")],
            confidence=MEDIUM,
            help="Renew with the token compared in the same step, and stop before the next effect when that fails.",
        )


def behind_a_flag(system: System) -> Iterator[Found]:
    """A flag that another thread clears is looked at once, and then a loop goes through many things."""
    told: set[Place] = set()
    for reign in reigns(system):
        if reign.effect.place in told:
            continue
        told.add(reign.effect.place)
        yield found(
            f"Whether this process leads is looked at once (`{reign.led.told}`), and then a loop performs {effect_name(reign.effect)} again and again: "
            f"when the lease is lost meanwhile, two lead; done late, it {does_late(reign.effect)}.",
            at=reign.way[0] if reign.way else reign.effect,
            because=distinct(
                [
                    Evidence(reign.led.place, "the flag is looked at here"),
                    Evidence(reign.loop, "this loop does not look again"),
                    *([Evidence(reign.effect.place, "and does this")] if reign.way else []),
                    Evidence(reign.led.set_at, "the flag is set here"),
                    Evidence(reign.held.place, "and speaks of this lease"),
                ],
                besides=reign.way[0] if reign.way else reign.effect.place,
            ),
            symbol=reign.led.symbol,
            confidence=MEDIUM,
            help="Look at the lease again before each effect, by the time until which it runs, and let the effect carry the term, so that what comes late is refused.",
        )


def stays_leader(system: System) -> Iterator[Found]:
    """A renewal that fails is only noted: the flag goes on to say that this process leads when its lease has long run out."""
    for hidden in deaf(system):
        yield found(
            f"When {call_name(hidden.renewal)} fails because the store is away, that is only noted here, and `{hidden.led.told}` goes on to say that this process "
            f"leads: when the lease has run out, two lead, and this one goes on to {effect_name(hidden.effect)}.",
            at=hidden.guard.place,
            symbol=hidden.symbol,
            because=[
                (hidden.renewal.place, "the lease is kept by this call"),
                (hidden.led.set_at, "the flag is set here"),
                (hidden.led.place, "and looked at here"),
                (hidden.effect.place, "before this is done"),
            ],
            confidence=MEDIUM,
            help="Note when the lease was last prolonged, and stop leading when that is as long ago as the lease, whatever the failure is.",
        )


def beside_the_renewal(system: System) -> Iterator[Found]:
    """Loops that a leader starts once: they look at nothing, and a renewal that hangs cannot stop them."""
    for task in delegated(system):
        if task.client is None:
            continue
        yield found(
            f"This loop is started because the process leads, and never looks at the leadership again: a renewal without a time limit that hangs lets the lease run out, "
            f"and the loop goes on to {effect_name(task.work)} beside the next leader's; done late, it {does_late(task.work)}.",
            at=task.start,
            symbol=task.symbol,
            because=[(task.taken.place, "the lease is taken here"), (task.client.place, "whose client waits without a limit"), (task.work.place, "and this is done")],
            confidence=MEDIUM,
            help="Give the client a time limit well below the lease, and let each round ask until when the lease runs, by the local clock, before it does anything.",
        )


def chosen_for_life(system: System) -> Iterator[Found]:
    """What was said when the process started decides for as long as it lives: loops are started, and a renewal that fails tells them nothing."""
    for task in never_told(system):
        if task.unheard is None:
            continue
        yield found(
            f"Whether this process leads is asked once, and decides for the rest of its life: this loop never looks again, a renewal that fails reaches nobody, and so it goes on to "
            f"{effect_name(task.work)} beside the next leader's; done late, it {does_late(task.work)}.",
            at=task.start,
            symbol=task.symbol,
            because=[
                *([(task.chosen, "the answer is looked at here, once")] if task.chosen is not None else []),
                (task.unheard.told.place, "a renewal that fails ends here"),
                (task.taken.place, "the lease is taken here"),
                (task.work.place, "and this is done"),
            ],
            confidence=MEDIUM,
            help="Keep what was started in one place, and end it when the renewal fails: cancel the tasks, or end the process so that it starts again as a candidate.",
        )


def acts_before(system: System) -> Iterator[Found]:
    """A scheduler whose constructor writes what all share, and that asks for its leadership afterwards: the one that stands by writes as well."""
    taken = [u for u in system.uses() if u.role == "leader-election"]
    for place in system.templated():
        symbol = next((caller for caller, method in _called_at(system, place)), "")
        inside = frozenset(s for _, method in _called_at(system, place) for s in system.runs(method))
        lead = next((u for u in taken if u.place.path == place.path and u.symbol not in system.runs(symbol) and not inside & {u.symbol}), None)
        if lead is None:
            continue
        write = next((o for o in system.operations_in(sorted(inside)) if o.backend == lead.backend and _changes(o) and not o.in_test), None)
        if write is None:
            continue
        yield found(
            f"The constructor runs {call_name(write)} before the leadership is asked for: an instance that only stands by changes what the leader works with.",
            at=place,
            symbol=symbol,
            because=[(write.place, "written from the constructor of the class above, which calls back"), (lead.place, "the leadership is asked for here, later")],
            confidence=MEDIUM,
            help="Only read in the constructor; write when the leadership is held (Celery's Scheduler takes lazy=True, and setup_schedule() is called then).",
        )


def _called_at(system: System, place: Place) -> list[tuple[str, str]]:
    return [(caller, callee) for callee in (f.symbol for f in system.functions()) for caller, at in system.callers(callee) if at == place]


def _changes(write: Operation) -> bool:
    return write.stores or write.harmful_late or write.op in (Op.DELETE, Op.EFFECT, Op.INCREMENT)


def _reign(system: System, effect: Effect) -> list[Evidence]:
    """The loop that does it again and again: the outermost that only ends when it is told to stop."""
    round_ = next((loop for at in (*effect.chain[1:], effect.place) if (loop := system.kept_up_by(at)) is not None), effect.each)
    return [Evidence(round_, "in this loop, which goes on when the reign is over")] if round_ is not None else []


def reigns_without_end(system: System, configs: list[Operation]) -> Iterator[Found]:
    """Elections of the Kubernetes client that only log the end of a reign: the thread that leads goes on."""
    for config in configs:
        if not is_none(config):
            continue
        reigns = [s for s in system.critical_sections(distributed=True) if s.lock.model.kind == "election" and s.lock.backend == config.backend]
        effect = next((e for s in reigns for e in s.effects if _is_unfenced(e)), None)
        handler = config.argument(ON_LOSS)
        told = [(handler.place or config.place, f"{ON_LOSS} is None, which only logs")] if handler is not None else []
        if effect is not None:
            told.append((effect.place, f"{effect_name(effect.operation)} goes on"))
        yield found(
            "The leader goes on when it has lost its lease: onstarted_leading runs in a thread of its own that nobody stops",
            at=config,
            because=told,
            severity=WARNING if effect is None else ERROR,
            help=f"End the process: {ON_LOSS}=lambda: os._exit(1). sys.exit would end one thread only.",
        )


def is_none(config: Operation) -> bool:
    handler = config.argument(ON_LOSS)
    return handler is not None and handler.literal and handler.value is None


def _is_unfenced(effect: Effect) -> bool:
    return effect.harmful_when_late and not (effect.token or effect.conditional or effect.operation.conditional)


def _is_of_election(effect: Effect, section: Section) -> bool:
    """Whether it only tells who leads, beside the nodes of the election: "/reign/leader" of "/reign/election"."""
    root = (section.lock.key or "").rpartition("/")[0]
    return bool(root) and (effect.operation.key or "").startswith(f"{root}/")


def _listens_for_loss(system: System, section: Section) -> bool:
    """A listener that knows LOST, on any client of the same backend: it may clear the flag that the loop looks at."""
    return any({"LOST", "CONNECTED"} & set(c.listens_for) and c.unheard is None for c in system.clients(backend=section.lock.backend))
