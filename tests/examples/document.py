"""A Markdown document read as a sequence of examples. README.md, beside this, describes the comments that steer them."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

import fixtures

# The info strings of the fenced blocks that are executed.
EXECUTED = ("sh", "bash", "python")

# How an example ends, unless it does so by itself and well.
ENDINGS = ("until-output", "background", "eventually", "fails")

FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<language>[^\s`]*)[^`]*$")
COMMENT = re.compile(r"\s*<!--\s*run:\s*(?P<word>[a-z-]+):?(?P<rest>.*?)-->\s*$")
COMMENT_BEGINS = re.compile(r"\s*<!--\s*run\b")


class DocumentError(Exception):
    """A document that cannot be executed as it is written: the line and the cause."""

    def __init__(self, line, cause):
        super().__init__(f"line {line}: {cause}")


@dataclass
class Example:
    """A fenced block to be executed."""

    line: int  # of the fence; the text begins on the next
    language: str
    text: str
    ending: str = ""  # one of ENDINGS
    name: str = ""  # of one in the background
    files: list[str] = field(default_factory=list)  # made before it runs
    skipped: str = ""  # the reason
    expected: list[str] | None = None  # lines of standard output

    @property
    def last_line(self):
        """The line of the closing fence."""
        return self.line + self.text.count("\n") + 1


@dataclass
class Stop:
    """The place where an example in the background is stopped."""

    line: int
    name: str
    expected: list[str] | None = None


@dataclass
class Fence:
    """A fenced block of any language."""

    line: int
    language: str
    text: str


@dataclass
class Comment:
    """A comment for the runner."""

    line: int
    word: str
    rest: str


def parse(text):
    """Returns the examples and stops of a Markdown document, in order."""
    steps = []
    comments = []  # that wait for their block
    shows = None  # the step whose output may come next
    prose = 0  # lines since that step
    for item in _items(text):
        if isinstance(item, Comment) and item.word != "stop":
            comments.append(item)
        elif isinstance(item, Fence) and item.language in EXECUTED:
            shows = _example(item, comments)
            steps.append(shows)
            comments, prose = [], 0
        elif comments:
            break
        elif isinstance(item, Comment):
            shows = Stop(item.line, _one_name(item))
            steps.append(shows)
            prose = 0
        elif isinstance(item, Fence):
            if item.language == "text" and shows:
                shows.expected = item.text.splitlines()
            shows = None
        else:
            prose += 1
            if prose > 1 or item.startswith("#"):
                shows = None
    if comments:
        raise DocumentError(comments[0].line, "this comment is not followed by a block that is executed")
    _check(steps)
    return steps


def _items(text):
    """Yields the fenced blocks, the comments for the runner and the lines of prose that are not blank."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if fence := FENCE.match(line):
            begin = number
            closing = re.compile(rf" *{fence['fence'][0]}{{{len(fence['fence'])},}} *$")
            while number < len(lines) and not closing.match(lines[number]):
                number += 1
            if number == len(lines):
                raise DocumentError(begin, "this block is not closed")
            body = [_without_indent(inner, len(fence["indent"])) + "\n" for inner in lines[begin:number]]
            number += 1
            yield Fence(begin, fence["language"], "".join(body))
        elif comment := COMMENT.match(line):
            yield Comment(number, comment["word"], comment["rest"].strip())
        elif COMMENT_BEGINS.match(line):
            raise DocumentError(number, "a comment for the runner is a line of its own, <!-- run: … -->")
        elif line.strip():
            yield line


def _without_indent(line, indent):
    return line[min(indent, len(line) - len(line.lstrip(" "))) :]


def _example(fence, comments):
    example = Example(fence.line, fence.language, fence.text)
    for comment in comments:
        if comment.word in ENDINGS:
            if example.ending:
                raise DocumentError(comment.line, f"a block cannot be both {example.ending} and {comment.word}")
            example.ending = comment.word
        if comment.word == "background":
            example.name = _one_name(comment)
        elif comment.word in ENDINGS:
            if comment.rest:
                raise DocumentError(comment.line, f"{comment.word} takes nothing more")
        elif not comment.rest and comment.word in ("with", "skip"):
            raise DocumentError(comment.line, "which files?" if comment.word == "with" else "for which reason?")
        elif comment.word == "with":
            example.files += _files(comment)
        elif comment.word == "skip":
            example.skipped = comment.rest
        else:
            known = ", ".join([*ENDINGS, "stop", "with", "skip"])
            raise DocumentError(comment.line, f"unknown word {comment.word}; there are {known}")
    return example


def _one_name(comment):
    if len(comment.rest.split()) != 1:
        raise DocumentError(comment.line, f"{comment.word} takes one name")
    return comment.rest


def _files(comment):
    files = comment.rest.split()
    for file in files:
        if not file.endswith(fixtures.KINDS):
            raise DocumentError(comment.line, f"{file} cannot be made; {' '.join(fixtures.KINDS)} can")
    return files


def _check(steps):
    """Every stop has something to stop, and what ends with its output has one."""
    running = {}
    for step in steps:
        if isinstance(step, Stop):
            example = running.pop(step.name, None)
            if example is None:
                raise DocumentError(step.line, f"no example named {step.name} runs here")
            if example.expected is not None and step.expected is not None:
                raise DocumentError(step.line, f"line {example.line} has an output of {step.name} already")
        elif step.ending == "until-output" and step.expected is None:
            raise DocumentError(step.line, "until-output needs a ```text block with the output")
        elif step.ending == "background":
            if step.name in running:
                raise DocumentError(step.line, f"an example named {step.name} runs already")
            running[step.name] = step
