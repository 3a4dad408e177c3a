"""What Lua scripts answer where they refuse to change anything. No script is run."""

from __future__ import annotations

import re

_LONGEST = 8000
_COMMENT = re.compile(r"--[^\n]*")
_WORD = re.compile(r"\b(?:if|elseif|else|end|return|for|while|repeat|until|function)\b|redis\.p?call\s*\(\s*['\"](\w+)['\"]")
_COUNTING = frozenset("incr incrby incrbyfloat decr decrby hincrby hincrbyfloat zincrby".split())
_ADDING = frozenset("zadd sadd lpush rpush".split())
_SETTING = frozenset("set setex psetex hset hmset".split())
_LIMIT = re.compile(r"[<>]")
_STATE = re.compile(r"[=~]=\s*(?:ARGV\b|['\"]\w)|ARGV\s*\[\s*\d\s*\]\s*[=~]=")
_GIVEN = re.compile(r"\blocal\s+(\w{1,40})\s*=\s*(?:tonumber\s*\(\s*)?ARGV\b")
_REFUSAL = re.compile(r"(?:\{\s{0,9})?(-\d{1,9}|0|nil|false)(?!\w|\s{0,3}(?:[-+*/(]|\.|and\b|or\b))")


def refusal(text: str) -> str:
    """What a script answers where a test of what is stored keeps it from counting or from putting a state; "" for other scripts.

    A limit (`stock >= n`) in front of a count, or a comparison with what is expected in front of a write: compare-and-swap. Keeping the
    larger of two numbers is none: who is refused there has nothing to do.
    """
    text = _COMMENT.sub("", text[:_LONGEST])
    for name in _GIVEN.findall(text)[:20]:
        text = re.sub(rf"\b{name}\b", "ARGV[1]", text)
    answers: list[tuple[str, bool]] = []  # what is returned, and whether something was changed on the way
    blocks: list[tuple[str, bool]] = []  # the words that opened them, and whether something was changed before
    changed, undone, counted, asked, first = False, False, False, "", ""
    for word in _WORD.finditer(text):
        kind = word[0]
        if kind in ("if", "for", "while", "function", "repeat"):
            blocks.append((kind, changed))
        if kind in ("if", "elseif"):
            asked += text[word.end() : text.find("then", word.end())] + "\n"
        if kind in ("elseif", "else") and blocks:
            changed, undone = blocks[-1][1], False
        elif kind in ("end", "until") and blocks:
            changed, undone = blocks.pop()[1], False
        elif kind == "return":
            constant = _REFUSAL.match(text[word.end() : word.end() + 60].lstrip())
            done = changed and not undone
            answers.append((constant[1] if constant else "", done or bool(constant is None and _changes(text[word.end() :].split("\n", 1)[0], asked))))
        elif word[1] and word[1].lower().startswith(_UNDONE.get(first, "-")) and blocks:
            undone = counted = True  # `if decr(stock) < 0 then incr(stock) return -1 end`
        elif word[1] and _is_decided(word[1].lower(), text, word.end(), asked):
            changed = counted = True
        first = first or (word[1] or "").lower()[:4]
    refused = next((said for said, done in answers if said and not done), "")
    return refused if counted and any(said != refused for said, _ in answers) else ""


def _changes(line: str, asked: str) -> bool:
    """`return redis.call("DECRBY", ...)`."""
    return any(_is_decided(m[1].lower(), line, m.end(), asked) for m in _WORD.finditer(line) if m[1])


def _is_decided(command: str, text: str, at: int, asked: str) -> bool:
    """Whether a command changes what a test before it has asked for."""
    if command in _COUNTING or (command in _ADDING and re.search(r"card|llen|count", text, re.IGNORECASE)):
        return bool(_LIMIT.search(asked))
    if command in _SETTING:
        call = text[at : at + 200].split("\n", 1)[0]
        return bool(_STATE.search(asked)) or (bool(_LIMIT.search(asked)) and bool(re.search(r"\w\s*[-+]\s*\w", call)))
    return False


_UNDONE = {"decr": "incr", "incr": "decr"}
