"""One document's examples, executed in order in one folder, each in the state that the one before it left."""
from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import fixtures
import matching
from document import Example, Stop
from program import OUTPUT_BYTES, Program

# An example that takes longer hangs. The slowest is Python's start on a busy machine, several seconds.
EXAMPLE_SECONDS = 60

# How long an example in the background has to do what can be noticed; after it the next one runs all the same.
NOTICE_SECONDS = 5

# How long before an example is executed again that waits for something.
AGAIN_SECONDS = 0.1

OVERFLOWED = f"it wrote more than {OUTPUT_BYTES} bytes"
NOT_IN_TIME = f"it was not done after {EXAMPLE_SECONDS} s"

WRAPPER = Path(__file__).with_name("session.sh")


@dataclass
class Result:
    """What became of an example."""

    example: Example
    failure: str = ""  # empty if it passed
    output: list[str] = field(default_factory=list)
    errors: str = ""
    expected: list[str] | None = None


class Session:
    """The folder, the environment and the running programs of one document."""

    def __init__(self, name, folder, environment, addresses, store=None):
        self._name = name
        self._addresses = addresses
        self._store = store
        self._folder = folder / "work"
        self._private = folder / "private"
        self._environment = {**environment, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
        self._programs = []
        self._background = {}  # name -> (example, program)
        for part in ("work", "private", "home", "tmp"):
            (folder / part).mkdir()

    def run(self, steps):
        """Yields a result for each example, as it ends; those still in the background end with the document."""
        try:
            for step in steps:
                if isinstance(step, Stop):
                    if step.name in self._background:
                        yield self._stop(step.name, step.expected)
                elif step.skipped:
                    yield Result(step)
                elif step.ending == "background":
                    self._start_background(step)
                elif step.ending == "until-output":
                    yield self._until_output(step, self._start(step), self._expected(step.expected))
                elif step.ending == "eventually":
                    yield self._eventually(step)
                else:
                    yield self._run(step)
            # Those whose output is awaited first: others may be where it comes from.
            for name in sorted(self._background, key=lambda name: self._background[name][0].expected is None):
                yield self._stop(name, None)
        finally:
            for program in self._programs:
                program.close()

    def _run(self, example):
        program = self._start(example)
        expected = self._expected(example.expected)
        in_time = program.wait_until(lambda: program.overflowed, EXAMPLE_SECONDS)
        if not in_time or program.overflowed:
            program.kill()
        program.finish()
        lines = matching.lines_of(program.output)
        failure = ""
        if program.overflowed:
            failure = OVERFLOWED
        elif not in_time:
            failure = NOT_IN_TIME
        elif example.ending == "fails" and program.code == 0:
            failure = "it should have failed, and ended with 0"
        elif example.ending != "fails" and program.code != 0:
            failure = _ended_with(program.code)
        elif expected is not None and not matching.matches(expected, lines):
            failure = "the output is another"
        return Result(example, failure, lines, program.errors, expected)

    def _eventually(self, example):
        """As a reader looks again, until what is going on has come so far."""
        deadline = time.monotonic() + EXAMPLE_SECONDS
        result = self._run(example)
        while result.failure and time.monotonic() < deadline:
            self._programs.pop().close()
            time.sleep(AGAIN_SECONDS)
            result = self._run(example)
        return result

    def _until_output(self, example, program, expected):
        """Waits until the output begins as expected, if any is, and presses Ctrl-C."""

        def shown():
            return program.overflowed or matching.begins(expected or [], matching.lines_of(program.output))

        in_time = program.wait_until(shown, EXAMPLE_SECONDS)
        own_end = program.code
        stopped = program.interrupt()
        program.finish()
        failure = ""
        if program.overflowed:
            failure = OVERFLOWED
        elif not in_time:
            failure = NOT_IN_TIME
        elif own_end:
            failure = _ended_with(own_end)
        elif not stopped:
            failure = "Ctrl-C did not end it"
        elif not shown():
            failure = "the output is another"
        return Result(example, failure, matching.lines_of(program.output), program.errors, expected)

    def _start_background(self, example):
        before = self._store and self._store.look()
        program = self._start(example)
        self._background[example.name] = (example, program)
        program.wait_until(
            lambda: program.output or (self._store and self._store.look().has_noticed(before)), NOTICE_SECONDS
        )

    def _stop(self, name, expected):
        example, program = self._background.pop(name)
        return self._until_output(example, program, self._expected(example.expected if expected is None else expected))

    def _start(self, example):
        for index, file in enumerate(example.files):
            fixtures.make(self._folder / file, index)
        # The lines keep their numbers, so that what bash and Python say of them is true of the document.
        number = example.line
        script = self._private / str(number) / f"{self._name}{'.py' if example.language == 'python' else ''}"
        script.parent.mkdir(exist_ok=True)
        script.write_text("\n" * number + self._addresses.put_into(example.text))
        state = self._private / "state"
        if example.ending == "background":
            # What it does to the state is its own.
            state = script.parent / "state"
            if (self._private / "state").exists():
                shutil.copy(self._private / "state", state)
        command = ["bash", str(WRAPPER), str(script), str(state)]
        program = Program(command, self._folder, self._environment, script.parent / "errors")
        self._programs.append(program)
        return program

    def _expected(self, lines):
        return lines if lines is None else [self._addresses.put_into(line) for line in lines]


def _ended_with(code):
    return f"it ended with {code}" if code > 0 else f"signal {-code} ended it"
