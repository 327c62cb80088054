"""Pulls the first entries of a stream into a folder, one file an entry: pull.py URL STREAM COUNT FOLDER.

The token is taken from the environment's PTG_TOKEN, as a command line can be read by everybody on the machine.
"""
import json
import os
import pathlib
import sys
from urllib.parse import quote

from websockets.sync.client import connect


def entries(url, token, stream, count):
    """Yields (entry id, bytes) from the stream's start on; waits for more where it ends."""
    address = f"{url.replace('http', 'ws', 1)}/data/{quote(stream, safe='')}/pull?last_entry_id=0&count={count}"
    header = {"Authorization": f"Bearer {token}"}
    # Who has what he came for need not wait for the goodbye.
    with connect(address, additional_headers=header, max_size=None, close_timeout=0) as socket:
        while True:
            offsets = json.loads(socket.recv(timeout=30))
            blob = socket.recv(timeout=30)
            ends = [offset for _, offset in offsets[1:]] + [len(blob)]
            for (entry_id, start), end in zip(offsets, ends):
                yield entry_id, blob[start:end]


def main(url, stream, count, folder):
    pulled = entries(url, os.environ["PTG_TOKEN"], stream, count=16)
    for number, (_, entry) in zip(range(int(count)), pulled):
        pathlib.Path(folder, f"{number:06}").write_bytes(entry)


main(*sys.argv[1:])
