"""What is kept of answers while a question leads back to itself."""

from __future__ import annotations

from coordlint.link.code.evaluation.memory import Asking, Memory
from coordlint.link.code.evaluation.values import UNKNOWN, Literal, Value, one_of

HOME = Literal("home")


class Names(Asking):
    """Names that are other names, or a text; what `asks` lists is asked for and joined, what `ignores` lists is only asked for."""

    def __init__(self, asks: dict[str, tuple[str | Value, ...]], ignores: dict[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.asks, self.ignores, self.memory = asks, ignores, Memory[str]()
        self.callers: dict[str, Value] = {}  # what hangs on call sites, and may be known later

    def of(self, name: str) -> Value:
        return self.answer(self.memory, name, self._made, name)

    def _made(self, name: str) -> Value:
        for other in self.ignores.get(name, ()):
            self.of(other)
        if name in self.callers:
            self.hangs = True
        return one_of([self.callers.get(name, UNKNOWN), *(self.of(v) if isinstance(v, str) else v for v in self.asks.get(name, ()))])


def test_what_a_cut_had_assumed_wrongly_is_asked_again_though_the_circle_around_is_right() -> None:
    # "outer" is nothing, as was assumed when "inner" asked for it; "member" was answered while "inner" was not known yet, which it is.
    names = Names({"inner": ("member", "outer", HOME), "member": ("inner",)}, ignores={"outer": ("inner",)})
    assert names.of("outer") == UNKNOWN
    assert (names.of("member"), names.of("inner")) == (HOME, HOME)


def test_within_the_open_circle_too_a_wrong_assumption_is_not_handed_on() -> None:
    names = Names({"inner": ("member", "outer", HOME), "member": ("inner",), "later": ("member",)}, ignores={"outer": ("inner", "later")})
    names.of("outer")
    assert names.of("later") == HOME


def test_what_hangs_on_a_question_that_hangs_on_callers_is_forgotten_with_it() -> None:
    names = Names({"outer": ("member",), "member": ("outer",)}, ignores={})
    names.callers["outer"] = UNKNOWN
    assert names.of("outer") == UNKNOWN
    names.memory.loose.clear()
    names.callers["outer"] = HOME
    assert names.of("member") == HOME


def test_a_circle_of_which_nothing_is_known_is_kept_as_that() -> None:
    names = Names({"a": ("b",), "b": ("c",), "c": ("a",)}, ignores={})
    assert names.of("a") == UNKNOWN
    assert set(names.memory.firm) == {"a", "b", "c"}
