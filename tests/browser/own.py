"""A Redis and a store of a test's own, that it may stop, kill and start again."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from browser import Store, until


class OwnRedis:
    """A redis-server on a Unix socket."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp())
        self.socket = self.folder / "redis.sock"
        words = [os.environ["REDIS_SERVER"], "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--save", ""]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        until("Redis", self.socket.exists)

    def command(self, *words):
        return subprocess.run(["redis-cli", "-s", str(self.socket), *words], capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    def commands(self, lines):
        """Many commands, a line each."""
        text = "".join(f"{line}\n" for line in lines)
        subprocess.run(["redis-cli", "-s", str(self.socket)], input=text, capture_output=True, text=True, check=True, timeout=120)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


class OwnStore:
    """A store on that Redis. It may be ended and begun again at the same address."""

    def __init__(self, redis):
        self.redis, self.listen = redis, "127.0.0.1:0"
        self.log = redis.folder / "store.log"
        self.begin()

    def begin(self):
        words = [os.environ["PTG_STORE"], "--listen", self.listen, "--redis", f"redis+unix://{self.redis.socket}"]
        self.log.unlink(missing_ok=True)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, stderr=log)
        address = until("the store", lambda: re.search(r"http://(127\.0\.0\.1:\d+)", self.log.read_text()))
        self.listen, self.url = address[1], address[0]
        self.client = Store(self.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


def stop(process):
    """As a hang of the machine would: nothing is closed, nothing answers. Returns when that was."""
    process.send_signal(signal.SIGSTOP)
    return time.monotonic()


def go_on(process):
    process.send_signal(signal.SIGCONT)


def end(process, how=signal.SIGTERM):
    go_on(process)
    process.send_signal(how)
    process.wait(20)
