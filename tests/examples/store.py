"""The store under test: where it is, what it has noticed, and how it is emptied."""
from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass

REQUEST_SECONDS = 10

# The sockets of the document before may still be closing.
CLOSE_SECONDS = 10

# A line of GET /metrics.
SAMPLE = re.compile(r"^(ptg_\w+)(?:\{(.*)\})? (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Addresses:
    """Where the store and its Redis are, for examples that show where they are by default."""

    store: str  # host:port
    redis: str

    def put_into(self, text):
        """The text with these addresses for http://127.0.0.1:7890 and Redis on port 6789."""
        text = re.sub(r"\b(127\.0\.0\.1|localhost):7890\b", self.store, text)
        text = re.sub(r"\b(127\.0\.0\.1|localhost):6789\b", self.redis, text)
        return re.sub(r"(?<![\w.:-])6789(?![\w.-])", self.redis.rpartition(":")[2], text)


@dataclass(frozen=True)
class Look:
    """What a store shows of the programs that use it."""

    streams: frozenset
    entries: int  # stored since its start
    pulls: int  # opened since its start, replies that stay open among them
    pushes: int
    pushes_open: int

    def has_noticed(self, before):
        """True if a program that began after that look pulls, or has pushed an entry."""
        if self.pulls > before.pulls:
            return True
        # Entries tell only where nobody else pushes; a new stream always does.
        stored = self.streams != before.streams or (self.entries > before.entries and not before.pushes_open)
        return self.pushes > before.pushes and stored


class Store:
    """A running store."""

    def __init__(self, url, token=""):
        self.url = url.rstrip("/")
        self.token = token or self._sign_in()

    @property
    def host(self):
        """host:port"""
        return urllib.parse.urlsplit(self.url).netloc

    def look(self):
        """Looks at the streams and the counters."""
        samples = {}
        for name, labels, value in SAMPLE.findall(self._request("GET", "/metrics").decode()):
            samples[name, labels] = int(value)
        return Look(
            streams=frozenset(self.streams()),
            entries=sum(value for (name, _), value in samples.items() if name == "ptg_entries_in_total"),
            pulls=samples["ptg_sockets_total", 'kind="pull"'] + samples["ptg_sockets_total", 'kind="follow"'],
            pushes=samples["ptg_sockets_total", 'kind="push"'],
            pushes_open=samples["ptg_sockets_open", 'kind="push"'],
        )

    def streams(self):
        """The names of all streams."""
        return json.loads(self._request("GET", "/streams/"))

    def delete_streams(self):
        """Deletes every stream, once nobody pushes any more."""
        deadline = time.monotonic() + CLOSE_SECONDS
        while self.look().pushes_open and time.monotonic() < deadline:
            time.sleep(0.05)
        for stream in self.streams():
            self._request("DELETE", f"/streams/{urllib.parse.quote(stream, safe='')}?force=true")

    def _sign_in(self):
        self.token = ""
        reply = self._request("POST", "/token", urllib.parse.urlencode({"username": "ada", "password": "ada"}).encode())
        return json.loads(reply)["access_token"]

    def _request(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as reply:
            return reply.read()
