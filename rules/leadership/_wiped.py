"""Registrations that another program deletes with all that stands around them, whenever it starts."""

from collections.abc import Iterator

from coordlint import MEDIUM, Found, System, found, wiped


def in_wiped_paths(system: System) -> Iterator[Found]:
    """Deletes of a path at the start of one program, below which others have registered once."""
    for gone in wiped(system):
        yield found(
            f"Each start deletes all of `{gone.delete.key}`, with the nodes of members that are alive, and none of them makes its node again.",
            at=gone.delete,
            because=[(gone.made.place, f"`{gone.made.key_text or gone.made.key}` is made here, once")],
            confidence=MEDIUM,
            help="Leave the nodes of others alone: theirs go with their sessions. Delete only what this program wrote itself.",
        )
