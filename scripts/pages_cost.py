#!/usr/bin/env python3
"""What open live pages cost the data path: pages_cost.py [HOST:PORT] [PAGES] [ROUNDS], against a running store.

Each page does what the live page does while it is looked at: it asks for /activity once a second. Rounds with and
without pages take turns, because machines are noisy; the medians of their percentiles are printed. Needs `websockets`.
"""
import http.client
import json
import statistics
import sys
import threading
import time
import urllib.request

from websockets.sync.client import connect

HOST = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:7890"
PAGES = int(sys.argv[2]) if len(sys.argv) > 2 else 50
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
ROUND_SECONDS = 6
ENTRY = b"x" * 1000
# Our own stream, deleted at the end.
STREAM = "pages-cost"
# About the pace of a fast sensor.
PAUSE_SECONDS = 0.004

sign_in = urllib.request.urlopen(f"http://{HOST}/token", data=b"username=ada&password=ada")
TOKEN = json.load(sign_in)["access_token"]
AUTH = {"Authorization": f"Bearer {TOKEN}"}
looked_at = threading.Event()


def page(number):
    connection = http.client.HTTPConnection(HOST)
    # Pages were not all opened at the same moment.
    time.sleep(number / PAGES)
    while True:
        if looked_at.is_set():
            connection.request("GET", "/activity", headers=AUTH)
            connection.getresponse().read()
        time.sleep(1)


def percentile(seconds, part):
    return sorted(seconds)[int(len(seconds) * part)] * 1e6


def one_round():
    acks, lives = [], []
    path = f"ws://{HOST}/data/{STREAM}"
    with connect(f"{path}/push?ack=true&token={TOKEN}", compression=None) as push:
        with connect(f"{path}/pull?token={TOKEN}", compression=None) as pull:
            end = time.monotonic() + ROUND_SECONDS
            while time.monotonic() < end:
                begun = time.perf_counter()
                push.send(ENTRY)
                push.recv()
                acks.append(time.perf_counter() - begun)
                pull.recv(), pull.recv()
                lives.append(time.perf_counter() - begun)
                time.sleep(PAUSE_SECONDS)
    return [percentile(times, part) for times in (acks, lives) for part in (0.5, 0.99)]


for number in range(PAGES):
    threading.Thread(target=page, args=(number,), daemon=True).start()
results = {False: [], True: []}
for _ in range(ROUNDS):
    for pages in (False, True):
        looked_at.set() if pages else looked_at.clear()
        time.sleep(1.2)
        results[pages].append(one_round())
urllib.request.urlopen(urllib.request.Request(f"http://{HOST}/streams/{STREAM}", method="DELETE", headers=AUTH))

print(f"{'microseconds':24}{'without':>10}{f'{PAGES} pages':>10}{'ratio':>8}")
for column, name in enumerate(["acknowledged push p50", "acknowledged push p99", "push to pull p50", "push to pull p99"]):
    without, pages = (statistics.median(result[column] for result in results[which]) for which in (False, True))
    print(f"{name:24}{without:10.0f}{pages:10.0f}{pages / without:8.2f}")
