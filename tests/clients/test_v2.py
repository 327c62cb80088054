"""The store as the original server's Python client uses it: python test_v2.py URL

`Client` does on the wire what that client does, with PTG_URL=URL/v2. Works with current versions of websockets and with 10.1.
"""
import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

import requests
import websockets

from running import expect, run_all

URL = sys.argv[1].rstrip("/") + "/v2"

# What the client gives websockets as its limit: a message that is larger ends its socket.
MAX_SIZE = 2**24


class Client:
    """Signs in once; from then on its session has the cookie, and its sockets send it as a header."""

    def __init__(self, url, username, password):
        self.url = url
        self.session = requests.Session()
        self.session.post(f"{url}/token", data={"username": username, "password": password}).raise_for_status()
        # The value is "Bearer <token>", in quotes.
        self.authorization = self.session.cookies["authorization"].strip('"')

    def ask(self, method, path, **arguments):
        reply = self.session.request(method, f"{self.url}{path}", **arguments)
        reply.raise_for_status()
        return reply

    def get_data(self, *streams, **parameters):
        reply = self.ask("GET", f"/data/{joined(streams)}", params=parameters)
        return slices(json.loads(reply.headers["entry-offset"]), reply.content)

    @asynccontextmanager
    async def connect(self, way, *streams, **parameters):
        # Booleans are spelled as Python does.
        address = f"{self.url.replace('http', 'ws', 1)}/data/{joined(streams)}/{way}?{urlencode(parameters)}"
        headers = {"Authorization": self.authorization}
        old = int(websockets.__version__.split(".")[0]) < 14
        name = "extra_headers" if old else "additional_headers"
        async with websockets.connect(address, max_size=MAX_SIZE, **{name: headers}) as socket:
            yield socket


def joined(streams):
    return "+".join(quote(stream, safe="*") for stream in streams)


def slices(offsets, blob):
    """[[stream, id, start], …] and the joined bytes -> [(stream, id, bytes), …]: each to the next start, the last to the end"""
    ends = [start for _, _, start in offsets[1:]] + [len(blob)]
    return [(stream, entry_id, blob[start:end]) for (stream, entry_id, start), end in zip(offsets, ends)]


def packed(entries):
    """[(stream, time or None, bytes), …] -> [[stream, time, end], …] as JSON, and the joined bytes"""
    header, end = [], 0
    for stream, timestamp, data in entries:
        end += len(data)
        header.append((stream, timestamp, end))
    return json.dumps(header), b"".join(data for _, _, data in entries)


async def receive(socket):
    return slices(json.loads(await socket.recv()), await socket.recv())


async def receive_all(socket, count):
    entries = []
    while len(entries) < count:
        entries += await receive(socket)
    return entries


async def push(socket, header, blob):
    """One batch; the ids that acknowledge it."""
    await socket.send(header)
    await socket.send(blob)
    return (await socket.recv()).split(",")


async def expect_nothing(socket, seconds=0.3):
    try:
        raise AssertionError(await asyncio.wait_for(socket.recv(), seconds))
    except asyncio.TimeoutError:
        pass


def add(stream, *entries):
    files = [("entries", ("entry", entry)) for entry in entries]
    return CLIENT.ask("POST", f"/data/{quote(stream, safe='')}", files=files).json()


def contents(entries):
    return [data for _, _, data in entries]


def delete(stream):
    for name in [stream, *(f"{stream}-{which}" for which in ("a", "b", "c"))]:
        CLIENT.ask("DELETE", f"/streams/{name}", params={"force": True})


# ------------------------------------------------------------ signing in, streams


def test_the_cookie_is_all_that_is_needed(stream):
    assert CLIENT.authorization.startswith("Bearer "), CLIENT.authorization
    reply = requests.get(f"{URL}/streams/")
    expect(reply.status_code, 401)
    reply = requests.get(f"{URL}/streams/", headers={"Authorization": CLIENT.authorization})
    expect(reply.status_code, 200)


def test_streams_are_listed_described_and_deleted(stream):
    CLIENT.ask("PUT", f"/streams/{stream}", params={"desc": "a camera", "max_len": 50, "override": True})
    add(stream, b"entry")
    assert stream in CLIENT.ask("GET", "/streams/").json()
    about = CLIENT.ask("GET", f"/streams/{stream}").json()
    expect((about["meta"]["description"], about["info"]["length"]), ("a camera", 1))
    CLIENT.ask("DELETE", f"/streams/{stream}")
    assert stream not in CLIENT.ask("GET", "/streams/").json()


def test_a_stream_is_described_by_a_json_body(stream):
    about = {"desc": "front camera", "override": True, "max_len": 5000, "fps": 30}
    made = CLIENT.ask("PUT", f"/streams/{stream}", json=about).json()
    expect((made["description"], made["max_len"], made["metadata"]), ("front camera", 5000, {"fps": 30}))


def test_a_stream_is_updated_by_another_call(stream):
    CLIENT.ask("PUT", f"/streams/{stream}", json={"desc": "front camera", "fps": 30, "gain": 2})
    changed = CLIENT.ask("PUT", f"/streams/{stream}", json={"fps": 60, "max_len": 50}).json()
    expect((changed["description"], changed["max_len"], changed["metadata"]), ("front camera", 50, {"fps": 60, "gain": 2}))
    refused = requests.put(f"{URL}/streams/{stream}", params={"override": False}, headers={"Authorization": CLIENT.authorization})
    expect(refused.status_code, 400)


# ------------------------------------------------------------ entries out


def test_get_gives_triples_of_one_stream_and_of_several(stream):
    a, b = f"{stream}-a", f"{stream}-b"
    ids = add(a, b"one", b"two") + add(b, b"three")
    expect(CLIENT.get_data(a), [(a, ids[1], b"two")])
    expect(CLIENT.get_data(a, count=5, last_entry_id="0"), [(a, ids[0], b"one"), (a, ids[1], b"two")])
    expect(CLIENT.get_data(a, b), [(a, ids[1], b"two"), (b, ids[2], b"three")])
    expect(CLIENT.get_data(f"{stream}-c"), [])


async def test_a_pull_is_for_the_newest(stream):
    add(stream, b"old")
    for parameters in ({}, {"last_entry_id": "$"}):
        async with CLIENT.connect("pull", stream, ack=True, **parameters) as pull:
            await expect_nothing(pull)
            add(stream, b"first")
            expect(contents(await receive(pull)), [b"first"])
            add(stream, b"skipped", b"newest")
            await expect_nothing(pull)
            await pull.send(b"")
            expect(contents(await receive(pull)), [b"newest"])


async def test_a_dash_begins_with_the_newest_that_there_is(stream):
    ids = add(stream, b"old", b"newest")
    async with CLIENT.connect("pull", stream, last_entry_id="-", ack=True) as pull:
        expect(await receive(pull), [(stream, ids[1], b"newest")])
        await pull.send(b"")
        ids = add(stream, b"next")
        expect(await receive(pull), [(stream, ids[0], b"next")])


async def test_an_id_means_every_entry_after_it(stream):
    entries = [b"%d" % number for number in range(300)]
    ids = add(stream, *entries)
    for last, begin in (("0", 0), (ids[99], 100)):
        async with CLIENT.connect("pull", stream, last_entry_id=last, count=7) as pull:
            expected = [(stream, *entry) for entry in zip(ids, entries)][begin:]
            expect(await receive_all(pull, len(expected)), expected)
    async with CLIENT.connect("pull", stream, last_entry_id="$", latest=False) as pull:
        add(stream, b"a", b"b", b"c")
        expect(contents(await receive_all(pull, 3)), [b"a", b"b", b"c"])


async def test_every_reply_waits_for_an_empty_frame(stream):
    add(stream, *(b"%d" % number for number in range(10)))
    async with CLIENT.connect("pull", stream, last_entry_id="0", ack=True) as pull:
        for number in range(10):
            expect(contents(await receive(pull)), [b"%d" % number])
            await expect_nothing(pull, 0.05)
            await pull.send(b"")


async def test_several_streams_on_one_socket(stream):
    names = [f"{stream}-{which}" for which in "abc"]
    for name in names[:2]:
        add(name, b"old", name.encode())
    async with CLIENT.connect("pull", *names, last_entry_id="-", ack=True) as pull:
        expect(contents(await receive_all(pull, 2)), [name.encode() for name in names[:2]])
        await pull.send(b"")
        add(names[2], b"late")
        expect([(name, data) for name, _, data in await receive(pull)], [(names[2], b"late")])


async def test_parameters_that_mean_nothing_here_are_ignored(stream):
    add(stream, b"entry")
    async with CLIENT.connect("pull", stream, last_entry_id="-", last=5, batch=True, latest=True) as pull:
        expect(contents(await receive(pull)), [b"entry"])


async def test_a_silent_pull_ends_after_its_timeout(stream):
    async with CLIENT.connect("pull", stream, timeout=300) as pull:
        begun = time.monotonic()
        await pull.wait_closed()
        expect(pull.close_code, 1000)
        assert time.monotonic() - begun >= 0.25, "too early"


async def test_no_message_is_over_the_clients_limit(stream):
    large = [bytes([number]) * 2**20 for number in range(40)]
    for start in range(0, 40, 20):
        add(stream, *large[start : start + 20])
    async with CLIENT.connect("pull", stream, last_entry_id="0", count=1000) as pull:
        assert contents(await receive_all(pull, 40)) == large


# ------------------------------------------------------------ entries in


async def test_a_batch_of_ends(stream):
    async with CLIENT.connect("push", stream, batch=True, ack=True) as socket:
        ids = await push(socket, json.dumps([2, 5]), b"abcde")
        ids += await push(socket, json.dumps([0, 1, 3]), b"fgh")
        ids += await push(socket, json.dumps([4]), b"ijkl")
    expected = [b"ab", b"cde", b"f", b"gh", b"ijkl"]
    expect(CLIENT.get_data(stream, count=9, last_entry_id="0"), [(stream, *entry) for entry in zip(ids, expected)])


async def test_a_batch_that_names_its_streams(stream):
    a, b = f"{stream}-a", f"{stream}-b"
    for path in ("*",), (a, b):
        async with CLIENT.connect("push", *path, batch=True, ack=True) as socket:
            ids = await push(socket, json.dumps([[a, 3], [b, 3], [a, 7]]), b"onelast")
        expect(CLIENT.get_data(a, b, count=2)[-3:], [(a, ids[0], b"one"), (a, ids[2], b"last"), (b, ids[1], b"")])
        delete(stream)


async def test_a_batch_with_times(stream):
    a, b = f"{stream}-a", f"{stream}-b"
    now = int(time.time() * 1000) - 60_000
    async with CLIENT.connect("push", "*", batch=True, ack=True) as socket:
        ids = await push(socket, *packed([(a, f"{now}-0", b"frame"), (b, f"{now}-0", b"its depth"), (a, now + 33, b"next")]))
        expect(ids, [f"{now}-0", f"{now}-0", f"{now + 33}-0"])
        ids += await push(socket, *packed([(a, None, b"now"), (b, f"{now + 33}-*", b"")]))
    got = [entry for _, entry, _ in CLIENT.get_data(a, b, count=9, last_entry_id="0")]
    expect(got, [ids[0], ids[2], ids[3], ids[1], ids[4]])


async def test_a_batch_as_the_original_documentation_showed_it(stream):
    async with CLIENT.connect("push", stream, batch=True, ack=True) as socket:
        await push(socket, json.dumps([0, 2]), b"abcde")
        await push(socket, "0,1", b"fg")
    expect(contents(CLIENT.get_data(stream, count=9, last_entry_id="0")), [b"ab", b"cde", b"f", b"g"])


async def test_a_header_that_fits_neither_ends_nor_starts_is_refused(stream):
    for header in ([2, 3], [0, 9], [5, 2], [[stream, None, 3]], [["elsewhere", 5]], {"a": 1}, [[stream, "x", 5]]):
        async with CLIENT.connect("push", stream, batch=True, ack=True) as socket:
            await socket.send(json.dumps(header))
            await socket.send(b"abcde")
            await socket.wait_closed()
            expect((header, socket.close_code), (header, 1007))
            assert socket.close_reason, "a reason is given"
    expect(CLIENT.get_data(stream), [])


async def test_single_entries(stream):
    async with CLIENT.connect("push", stream, ack=True) as socket:
        ids = []
        for data in (b"one", b"", "als Text ☕"):
            await socket.send(data)
            ids.append(await socket.recv())
    expected = [b"one", b"", "als Text ☕".encode()]
    expect(CLIENT.get_data(stream, count=9, last_entry_id="0"), [(stream, *entry) for entry in zip(ids, expected)])


async def test_what_is_pushed_to_several_streams_is_pulled_from_them(stream):
    names = [f"{stream}-{which}" for which in "abc"]
    begin = int(time.time() * 1000) - 600_000
    batches = [[(name, begin + 40 * number, b"%s %d" % (name.encode(), number)) for name in names] for number in range(200)]
    async with CLIENT.connect("pull", *names, last_entry_id="0", count=20) as pull:
        async with CLIENT.connect("push", "*", batch=True, ack=True) as socket:
            for batch in batches:
                expect(await push(socket, *packed(batch)), [f"{timestamp}-0" for _, timestamp, _ in batch])
        pulled = await receive_all(pull, 600)
    for name in names:
        expected = [(name, f"{timestamp}-0", data) for batch in batches for where, timestamp, data in batch if where == name]
        expect([entry for entry in pulled if entry[0] == name], expected)


if __name__ == "__main__":
    CLIENT = Client(URL, "ada", "ada")
    run_all(dict(globals()), delete)
