"""Runs the tests of a module, each with a stream name of its own."""
import asyncio
import inspect
import sys
import traceback
import uuid
from importlib.metadata import version


def expect(actual, expected):
    assert actual == expected, f"expected {expected!r}, got {actual!r}"


def run(name, test, clean_up):
    """Runs one test, and cleans up behind it; true if it passed."""
    stream = f"{name}-{uuid.uuid4().hex[:8]}"
    try:
        result = test(stream)
        if inspect.isawaitable(result):
            asyncio.run(asyncio.wait_for(result, 60))
    except Exception:
        print(f"not ok {name}", flush=True)
        traceback.print_exc()
        return False
    finally:
        clean_up(stream)
    print(f"ok {name}", flush=True)
    return True


def run_all(module, clean_up):
    """Runs every function of the module whose name begins with test_, and ends the program."""
    print(f"# requests {version('requests')}, websockets {version('websockets')}, Python {sys.version.split()[0]}")
    tests = [(name, test) for name, test in module.items() if name.startswith("test_")]
    results = [run(name, test, clean_up) for name, test in tests]
    sys.exit(not all(results))
