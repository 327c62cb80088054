"""Executes the examples of Markdown documents against a running store: run_examples.py [FLAGS] FILE[:LINE]…

With a line only the example that stands there is executed. README.md beside this describes how examples are marked.
"""
from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import matching
from document import DocumentError, Example, parse
from session import Session
from store import Addresses, Store

SHIMS = Path(__file__).resolve().with_name("shims")


def main():
    arguments = parse_arguments()
    if arguments.list:
        list_examples(arguments.documents)
        return 0
    store = Store(arguments.url, arguments.token)
    addresses = Addresses(store.host, arguments.redis)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for path, line in arguments.documents:
        if arguments.delete_streams:
            store.delete_streams()
        for outcome in run_document(path, line, store, addresses, arguments.bin):
            counts[outcome] += 1
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description="Executes the examples of Markdown documents.")
    parser.add_argument("documents", nargs="+", metavar="FILE[:LINE]", type=place, help="a document, or one example in it")
    parser.add_argument("--list", action="store_true", help="show the examples and execute none")
    parser.add_argument("--url", default="http://127.0.0.1:7890", help="the store (default: %(default)s)")
    parser.add_argument("--token", default=os.environ.get("PTG_STORE_TOKEN", ""), help="a token; without one ada signs in")
    parser.add_argument("--redis", default="127.0.0.1:6789", metavar="HOST:PORT", help="its Redis (default: %(default)s)")
    parser.add_argument("--bin", type=Path, metavar="FOLDER", help="where ptg-store is, if not in PATH")
    parser.add_argument("--delete-streams", action="store_true", help="delete ALL streams before each document")
    return parser.parse_args()


def place(text):
    path, colon, line = text.rpartition(":")
    if colon and line.isdigit():
        return Path(path), int(line)
    return Path(text), None


def list_examples(documents):
    for path, line in documents:
        for example in examples(path, line):
            if isinstance(example, Example):
                how = " ".join(filter(None, [example.language, example.ending, example.name, example.skipped and "skip"]))
                print(f"{path}:{example.line}: {how}: {example.text.partition(chr(10))[0]}")


def examples(path, line):
    """The steps of a document, or the one example that the line is in."""
    steps = parse(path.read_text())
    if line is None:
        return steps
    found = [step for step in steps if isinstance(step, Example) and step.line <= line <= step.last_line]
    if not found:
        raise DocumentError(line, "no example stands here")
    return found


def run_document(path, line, store, addresses, bin_folder):
    """Executes a document's examples and reports each. Yields passed, failed or skipped for each."""
    try:
        steps = examples(path, line)
    except (OSError, DocumentError) as error:
        print(f"not ok {path}: {error}", flush=True)
        yield "failed"
        return
    with tempfile.TemporaryDirectory(prefix="examples-") as folder:
        session = Session(path.name, Path(folder), environment(store, addresses, bin_folder), addresses, store)
        for result in session.run(steps):
            yield report(path, result)


def environment(store, addresses, bin_folder):
    """What examples find set: each document can begin without signing in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PTG_", "RUST_", "XDG_"))}
    folders = [SHIMS, *([bin_folder.resolve()] if bin_folder else []), Path(sys.executable).parent]
    return {
        **kept,
        "PATH": os.pathsep.join([*map(str, folders), kept["PATH"]]),
        "PTG_STORE_URL": store.url,
        "PTG_STORE_TOKEN": store.token,
        "REDIS_URL": f"redis://{addresses.redis}",
        "URL": store.url,
        "WS": store.url.replace("http", "ws", 1) + "/data",
        "TOKEN": store.token,
        "AUTH": f"Authorization: Bearer {store.token}",
    }


def report(path, result):
    """Prints what became of an example, and says it in one word."""
    at = f"{path}:{result.example.line}"
    if result.example.skipped:
        print(f"skipped {at}: {result.example.skipped}", flush=True)
        return "skipped"
    if not result.failure:
        print(f"ok {at}", flush=True)
        return "passed"
    print(f"not ok {at}: {result.failure}")
    print_part("example", result.example.text.splitlines())
    print_part("output", result.output)
    print_part("errors", result.errors.splitlines())
    if result.expected is not None:
        print_part("expected", result.expected)
        print_part("difference", matching.difference(result.expected, result.output))
    sys.stdout.flush()
    return "failed"


def print_part(name, lines):
    print(f"  {name}:")
    for line in lines:
        print(f"    {line}")


if __name__ == "__main__":
    sys.exit(main())
