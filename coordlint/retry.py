"""How often something is tried, and how long it is waited for where nobody says so."""

from __future__ import annotations

import msgspec

from coordlint.source import Place


class Retry(msgspec.Struct, frozen=True):
    """That a call is made again when it fails, and what bounds that.

    Kind: "times" (at most so many tries), "seconds" (for so long), "forever" (nothing but success ends it), or "unknown" (something
    bounds it, and it is not known what). A number that is not known is None.
    """

    kind: str
    place: Place  # what says it: the loop, or the decorator
    most: int | None = None  # tries in all, the first one included
    seconds: float | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether it ends for certain."""
        return self.kind != "forever"

    @property
    def told(self) -> str:
        """How to say it: "at most 5 times"."""
        match self.kind:
            case "times":
                return f"at most {self.most} times" if self.most is not None else "a bounded number of times"
            case "seconds":
                return f"for at most {self.seconds:g} s" if self.seconds is not None else "until a deadline"
            case "forever":
                return "until it succeeds"
            case _:
                return "until something else ends it"


class DefaultLimit(msgspec.Struct, frozen=True):
    """What a program sets to end all calls of an HTTP library that say no timeout themselves."""

    place: Place
    library: str
    works: bool  # not where a default stands for arguments that are always passed, if only as None
