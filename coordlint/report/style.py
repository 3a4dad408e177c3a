"""Colours and drawing characters of a terminal, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_CODES = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36", "dim": "2"}


class Marks(NamedTuple):
    """The characters that join the places of a finding."""

    arrow: str
    side: str
    under: str
    end: str


UNICODE = Marks("──▶", "│", "━", "╰")
ASCII = Marks("-->", "|", "^", "=")


class Style(NamedTuple):
    """How text is drawn: with colours or not, with which marks."""

    colour: bool = False
    marks: Marks = ASCII

    def paint(self, text: str, colour: str = "", *, bold: bool = False) -> str:
        """The text in a colour; as it is when colours are off."""
        codes = [code for code in ("1" if bold else "", _CODES.get(colour, "")) if code]
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colour and codes and text else text


PLAIN = Style()


def style_for(terminal: bool, encoding: str, environment: Mapping[str, str]) -> Style:
    """Colours on a terminal, unless NO_COLOR; FORCE_COLOR anywhere. Drawing characters where they can be written."""
    colour = (terminal and environment.get("TERM") != "dumb") or bool(environment.get("FORCE_COLOR"))
    unicode = encoding.lower().replace("-", "").startswith("utf")
    return Style(colour and not environment.get("NO_COLOR"), UNICODE if unicode else ASCII)
