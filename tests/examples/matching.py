"""Output held against what a document shows: `…` stands for anything within a line, alone on a line for any lines."""
from __future__ import annotations

import difflib
import re

ANYTHING = "…"

# What a terminal takes for colours, links and the like.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\].*?(?:\x07|\x1b\\)")


def lines_of(output):
    """The lines of what a program wrote (bytes), without escape sequences and without space at their ends."""
    text = ESCAPES.sub("", output.decode(errors="backslashreplace"))
    return _trimmed(text.split("\n"))


def matches(expected, lines):
    """True if the lines are what was expected, from the first to the last."""
    lines = _trimmed(lines)
    return len(lines) in _places(expected, lines)


def begins(expected, lines):
    """True if the lines begin with what was expected; more may follow."""
    return bool(_places(expected, lines))


def difference(expected, lines):
    """A unified diff, in which what matches is equal."""
    shown, at = [], 0
    left_out = False
    for pattern in _trimmed(expected):
        if pattern == ANYTHING:
            left_out = True
            continue
        found = next((place for place in range(at, len(lines)) if _line_matches(pattern, lines[place])), None)
        if found is None:
            shown += [ANYTHING, pattern] if left_out else [pattern]
        else:
            shown += lines[at : found + 1] if left_out else [lines[found]]
            at = found + 1
        left_out = False
    shown += lines[at:] if left_out else []
    return list(difflib.unified_diff(shown, lines, "expected", "output", lineterm="", n=1))


def _places(expected, lines):
    """How many of the lines the expected ones may cover."""
    places = {0}
    for pattern in _trimmed(expected):
        if pattern == ANYTHING:
            places = set(range(min(places), len(lines) + 1)) if places else places
        else:
            places = {at + 1 for at in places if at < len(lines) and _line_matches(pattern, lines[at])}
    return places


def _line_matches(pattern, line):
    return re.fullmatch(".*".join(map(re.escape, pattern.split(ANYTHING))), line) is not None


def _trimmed(lines):
    """Without space at the ends of lines, and without empty lines at the end."""
    lines = [line.rstrip() for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines
