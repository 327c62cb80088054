"""The store as a Python program uses it, with requests and websockets: python test_clients.py URL

Every function is an example. Works with current versions of websockets and with 10.1.
"""
import asyncio
import inspect
import json
import sys
import time
from urllib.parse import quote, urlencode

import requests
import websockets

from running import expect, run_all

URL = sys.argv[1].rstrip("/")
SEED_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwdGciLCJleHAiOjE2NTI1NDU3MTl9"
    ".8S6dal-Q97TfJZG7rYLQWe5n3IovU9qCmtPYo7voNN4"
)

# ------------------------------------------------------------ what a client needs


def sign_in(user="test", password="test"):
    reply = requests.post(f"{URL}/token", data={"username": user, "password": password})
    reply.raise_for_status()
    return reply.json()["access_token"]


def socket(stream, way, **parameters):
    """A WebSocket to push into a stream or to pull from it."""
    parameters.setdefault("token", TOKEN)
    address = f"{URL.replace('http', 'ws', 1)}/data/{quote(stream, safe='')}/{way}?{urlencode(parameters)}"
    return websockets.connect(address, max_size=None)


def split(offsets, blob):
    """[["<id>", <offset>], …] and the joined bytes -> [(id, bytes), …]"""
    ends = [offset for _, offset in offsets[1:]] + [len(blob)]
    return [(entry_id, blob[start:end]) for (entry_id, start), end in zip(offsets, ends)]


def join(entries):
    """[bytes, …] -> the offsets' text and the joined bytes of a batch"""
    offsets, position = [], 0
    for entry in entries:
        offsets.append(str(position))
        position += len(entry)
    return ",".join(offsets), b"".join(entries)


async def receive(pull):
    """One reply of a pull: [(id, bytes), …]"""
    return split(json.loads(await pull.recv()), await pull.recv())


async def receive_all(pull, count):
    entries = []
    while len(entries) < count:
        entries += await receive(pull)
    return entries


def get_data(stream, **parameters):
    reply = STORE.get(f"{URL}/data/{quote(stream, safe='')}", params=parameters)
    reply.raise_for_status()
    return split(json.loads(reply.headers["entry-offset"]), reply.content)


def post_data(stream, entries):
    files = [("entries", ("entry", entry)) for entry in entries]
    reply = STORE.post(f"{URL}/data/{quote(stream, safe='')}", files=files)
    reply.raise_for_status()
    return reply.json()


def stream_url(stream):
    return f"{URL}/streams/{quote(stream, safe='')}"


def contents(entries):
    return [entry for _, entry in entries]


# ------------------------------------------------------------ signing in


def test_wrong_password_is_refused(stream):
    reply = requests.post(f"{URL}/token", data={"username": "test", "password": "other"})
    expect((reply.status_code, reply.json()), (401, {"detail": "Incorrect username or password"}))


def test_token_is_taken_as_header_query_or_cookie(stream):
    address = f"{URL}/streams/"
    session = requests.Session()
    session.post(f"{URL}/token", data={"username": "ann", "password": "ann"})
    for reply in (
        requests.get(address, headers={"Authorization": f"Bearer {TOKEN}"}),
        requests.get(address, headers={"Authorization": f"bearer {SEED_TOKEN}"}),
        requests.get(address, params={"token": TOKEN}),
        session.get(address),
    ):
        expect(reply.status_code, 200)


def test_without_a_token_nothing_is_shown(stream):
    reply = requests.get(f"{URL}/streams/")
    expect((reply.status_code, reply.headers["WWW-Authenticate"]), (401, "Bearer"))
    expect(reply.json(), {"detail": "Not authenticated"})
    reply = requests.get(f"{URL}/streams/", params={"token": "forged"})
    expect((reply.status_code, reply.json()), (401, {"detail": "Could not validate credentials"}))


# ------------------------------------------------------------ streams


def test_create_describe_and_delete_a_stream(stream):
    meta = {"camera": "left", "size": [640, 480]}
    created = {"id": stream, "description": "a camera", "metadata": meta, "max_len": 50}
    parameters = {"desc": "a camera", "meta": json.dumps(meta), "max_len": 50}
    expect(STORE.put(stream_url(stream), params=parameters).json(), created)
    assert stream in STORE.get(f"{URL}/streams/").json()
    expect(STORE.get(stream_url(stream)).json(), {"meta": created, "info": "no such key"})
    expect(STORE.get(stream_url(stream), params={"report_error": True}).status_code, 400)

    again = STORE.put(stream_url(stream))
    expect(again.status_code, 400)
    expect(again.json(), {"detail": f"The stream '{stream}' already exists and 'override' is not specified."})
    expect(STORE.put(stream_url(stream), params={"override": True}).json()["description"], "a camera")
    expect(STORE.put(stream_url(stream), params={"override": True, "desc": ""}).json()["description"], stream)

    (entry_id,) = post_data(stream, [b"frame"])
    info = STORE.get(stream_url(stream)).json()["info"]
    expect((info["length"], info["first-entry-id"], info["last-entry-id"]), (1, entry_id, entry_id))

    expect(STORE.delete(stream_url(stream)).json()["id"], stream)
    assert stream not in STORE.get(f"{URL}/streams/").json()
    expect(get_data(stream, last_entry_id="0"), [])
    gone = STORE.delete(stream_url(stream))
    expect((gone.status_code, gone.json()), (400, {"detail": f"The requested stream '{stream}' does not exist."}))
    expect(STORE.delete(stream_url(stream), params={"force": "yes"}).json(), None)


def test_max_len_keeps_about_the_newest(stream):
    STORE.put(stream_url(stream), params={"max_len": 100})
    for _ in range(5):
        post_data(stream, [b"entry"] * 200)
    length = STORE.get(stream_url(stream)).json()["info"]["length"]
    assert 100 <= length <= 300, f"{length} entries"


# ------------------------------------------------------------ REST: entries in and out


def test_post_and_get_entries(stream):
    ids = post_data(stream, [b"one", b"", b"three"])
    expect(get_data(stream, count=10, last_entry_id="0"), list(zip(ids, [b"one", b"", b"three"])))
    expect(get_data(stream), [(ids[2], b"three")])
    expect(get_data(stream, count=2), [(ids[1], b""), (ids[2], b"three")])
    expect(get_data(stream, count=1, last_entry_id="0"), [(ids[0], b"one")])
    expect(get_data(stream, count=10, last_entry_id=ids[0]), [(ids[1], b""), (ids[2], b"three")])
    expect(get_data(stream, count=10, last_entry_id=ids[2]), [])
    expect(get_data(stream, count=10, last_entry_id="$"), [])


def test_post_a_body_as_one_entry(stream):
    picture = bytes(range(256)) * 1000
    reply = STORE.post(f"{URL}/data/{stream}", data=picture, headers={"Content-Type": "image/jpeg"})
    expect(get_data(stream), [(reply.json()[0], picture)])


def test_an_empty_stream_has_no_entries(stream):
    reply = STORE.get(f"{URL}/data/{stream}")
    expect((reply.status_code, reply.content, reply.headers["entry-offset"]), (200, b"", "[]"))
    expect(reply.headers["Content-Type"], "application/octet-stream")


def test_errors_name_every_parameter_that_is_wrong(stream):
    reply = STORE.get(f"{URL}/data/{stream}", params={"count": "many", "last_entry_id": "yesterday"})
    expect(reply.status_code, 422)
    expect([error["loc"] for error in reply.json()["detail"]], [["query", "count"], ["query", "last_entry_id"]])
    expect(STORE.get(f"{URL}/data/{stream}", params={"count": 0}).status_code, 422)
    reply = STORE.post(f"{URL}/data/{stream}", files={"entry": b"the field must be named entries"})
    expect((reply.status_code, reply.json()["detail"][0]["loc"]), (422, ["body", "entries"]))
    expect(get_data(stream), [])


async def test_names_in_any_script(stream):
    for name in ("caméra ☕", "摄像头-0", "α+β:1 100%", "a%2Fb", "?x=1&y#z"):
        name = f"{stream} {name}"
        (posted,) = post_data(name, [b"posted"])
        async with socket(name, "push", ack=True) as push:
            await push.send(b"pushed")
            pushed = await push.recv()
        async with socket(name, "pull", count=2, last_entry_id=0) as pull:
            expect(await receive_all(pull, 2), [(posted, b"posted"), (pushed, b"pushed")])
        assert name in STORE.get(f"{URL}/streams/").json()
        STORE.delete(stream_url(name))


# ------------------------------------------------------------ WebSocket: push


async def test_push(stream):
    async with socket(stream, "push") as push:
        for entry in (b"one", b"two", "als Text ☕"):
            await push.send(entry)
    # The close is answered when all is stored.
    expect(contents(get_data(stream, count=10, last_entry_id="0")), [b"one", b"two", "als Text ☕".encode()])


async def test_push_ack(stream):
    ids = []
    async with socket(stream, "push", ack="true") as push:
        for entry in (b"one", b"", b"three"):
            await push.send(entry)
            ids.append(await push.recv())
    expect(get_data(stream, count=10, last_entry_id="0"), list(zip(ids, [b"one", b"", b"three"])))


async def test_push_batch(stream):
    async with socket(stream, "push", batch="true") as push:
        for batch in ([b"one", b"", b"three"], [b"four"], [b"", b""]):
            offsets, blob = join(batch)
            await push.send(offsets)
            await push.send(blob)
    stored = contents(get_data(stream, count=10, last_entry_id="0"))
    expect(stored, [b"one", b"", b"three", b"four", b"", b""])


async def test_push_batch_ack(stream):
    entries = [b"entry %d" % number for number in range(1000)]
    STORE.put(stream_url(stream), params={"max_len": 10000})
    async with socket(stream, "push", batch="true", ack="true") as push:
        for message in join(entries):
            await push.send(message)
        ids = (await push.recv()).split(",")
        await push.send("0, 2")
        await push.send(b"ab")
        ids += (await push.recv()).split(",")
    expect(get_data(stream, count=2000, last_entry_id="0"), list(zip(ids, entries + [b"ab", b""])))


async def test_push_keeps_the_order_of_many(stream):
    STORE.put(stream_url(stream), params={"max_len": 10000})
    entries = [b"%d" % number for number in range(2000)]
    async with socket(stream, "push") as push:
        for entry in entries:
            await push.send(entry)
    async with socket(stream, "pull", count=100, last_entry_id=0) as pull:
        expect(contents(await receive_all(pull, 2000)), entries)


async def test_push_of_a_large_entry(stream):
    large = bytes(range(256)) * (32 * 1024 * 1024 // 256)
    async with socket(stream, "push", ack="true") as push:
        await push.send(large)
        entry_id = await push.recv()
    async with socket(stream, "pull", last_entry_id=0) as pull:
        assert await receive(pull) == [(entry_id, large)]


async def test_push_of_a_bad_batch_is_refused_whole(stream):
    for messages, code in (
        (["0,4,2", b"abcdef"], 1007),  # decreasing
        (["0,9", b"abc"], 1007),  # past the end
        (["1", b"abc"], 1007),  # not from the start
        (["zero", b"abc"], 1007),
        ([b"abc"], 1003),  # the offsets come first
        (["0", "text"], 1003),  # the entries come second
    ):
        async with socket(stream, "push", batch="true", ack="true") as push:
            for message in messages:
                await push.send(message)
            await push.wait_closed()
            expect((messages, push.close_code), (messages, code))
            assert push.close_reason, "a reason is given"
    expect(get_data(stream), [])


# ------------------------------------------------------------ WebSocket: pull


async def test_pull_from_the_start(stream):
    ids = post_data(stream, [b"one", b"", b"three"])
    async with socket(stream, "pull", last_entry_id=0) as pull:
        expect([await receive(pull) for _ in range(3)], [[(ids[0], b"one")], [(ids[1], b"")], [(ids[2], b"three")]])
    async with socket(stream, "pull", last_entry_id=0, count=10) as pull:
        expect(await receive_all(pull, 3), list(zip(ids, [b"one", b"", b"three"])))


async def test_pull_after_an_entry(stream):
    ids = post_data(stream, [b"one", b"two", b"three"])
    async with socket(stream, "pull", count=10, last_entry_id=ids[0]) as pull:
        expect(await receive_all(pull, 2), [(ids[1], b"two"), (ids[2], b"three")])


async def test_pull_what_is_new(stream):
    post_data(stream, [b"old"])
    async with socket(stream, "pull") as pull:
        for entry in (b"new", b"newer"):
            (entry_id,) = post_data(stream, [entry])
            expect(await receive(pull), [(entry_id, entry)])


async def test_pull_the_newest_then_what_follows(stream):
    ids = post_data(stream, [b"one", b"two", b"three"])
    async with socket(stream, "pull", last_entry_id="*", count=2) as pull:
        expect(await receive_all(pull, 2), [(ids[1], b"two"), (ids[2], b"three")])
        ids += post_data(stream, [b"four"])
        expect(await receive(pull), [(ids[3], b"four")])


async def test_pull_waits_for_a_stream_that_does_not_exist_yet(stream):
    for last_entry_id in ("$", "0", "*"):
        name = f"{stream}-{last_entry_id}"
        async with socket(name, "pull", last_entry_id=last_entry_id) as pull:
            (entry_id,) = post_data(name, [b"first"])
            expect(await receive(pull), [(entry_id, b"first")])
        STORE.delete(stream_url(name))


async def test_several_clients_pull_the_same(stream):
    entries = [b"frame %d" % number for number in range(200)]

    async def pull_all():
        async with socket(stream, "pull", count=7, last_entry_id=0) as pull:
            return contents(await receive_all(pull, len(entries)))

    pulls = [asyncio.ensure_future(pull_all()) for _ in range(3)]
    async with socket(stream, "push") as push:
        for entry in entries:
            await push.send(entry)
    expect(await asyncio.gather(*pulls), [entries] * 3)


async def test_a_waiting_pull_answers_pings_and_a_close(stream):
    async with socket(stream, "pull") as pull:
        start = time.monotonic()
        await (await pull.ping())
        assert time.monotonic() - start < 2
        start = time.monotonic()
    assert time.monotonic() - start < 2


# ------------------------------------------------------------ WebSocket: before the upgrade


async def test_token_in_a_websocket_header(stream):
    modern = "additional_headers" in inspect.signature(websockets.connect).parameters
    headers = {"additional_headers" if modern else "extra_headers": {"Authorization": f"Bearer {TOKEN}"}}
    address = f"{URL.replace('http', 'ws', 1)}/data/{stream}/push?ack=true"
    async with websockets.connect(address, **headers) as push:
        await push.send(b"entry")
        entry_id = await push.recv()
        expect(get_data(stream), [(entry_id, b"entry")])


async def test_a_refused_websocket_says_why(stream):
    for way, parameters, status in (
        ("push", {"token": ""}, 401),
        ("push", {"token": "forged"}, 401),
        ("pull", {"count": 0}, 422),
        ("pull", {"last_entry_id": "yesterday"}, 422),
        ("push", {"batch": "perhaps"}, 422),
        ("shove", {}, 404),
    ):
        try:
            async with socket(stream, way, **parameters):
                raise AssertionError(f"{way} {parameters} was let in")
        except websockets.exceptions.InvalidHandshake as error:
            found = error.status_code if hasattr(error, "status_code") else error.response.status_code
            expect((way, parameters, found), (way, parameters, status))


if __name__ == "__main__":
    TOKEN = sign_in()
    STORE = requests.Session()
    STORE.headers["Authorization"] = f"Bearer {TOKEN}"
    run_all(dict(globals()), lambda stream: STORE.delete(stream_url(stream), params={"force": True}))
