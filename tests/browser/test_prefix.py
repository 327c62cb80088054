"""The store behind nginx, under a path of its host: python test_prefix.py FRONT/ptg
The tests of the live page and of the portal run there, too; see run.sh."""
import json
import os
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

import requests
import websockets.sync.client

from browser import URL, Feeding, expect, run_tests, until
from test_live import drop, open_stream, pictures, sign_in

FRONT = "{0.scheme}://{0.netloc}".format(urlsplit(URL))
NAMED = f"{FRONT}/lab/store"  # the same store, by a proxy that tells its host and prefix
PROGRAM = os.environ["PTG_STORE"]


def test_the_page_signs_in_pushes_and_watches(browser, store):
    for url in (URL, NAMED):
        store.push("dev0", b"before")
        sign_in(browser, url=url)
        open_stream(browser, "dev0")
        until("live", lambda: browser.text("#state") == "live")
        # Over the WebSocket, and not only what was there.
        store.push("dev0", f"after, at {url}".encode())
        until("what was pushed", lambda: f"after, at {url}" in browser.text("#text"))
        drop(browser, "file.txt", "dropped")
        until("the file", lambda: store.newest("dev0")[0][1] == b"dropped")
        cookie = browser.get_cookie("authorization")
        expect(cookie["path"], "/" if url == URL else "/lab/store")
        asked = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
        expect([address for address in asked if not address.startswith((url + "/", "data:", "blob:"))], [])
        browser.delete_all_cookies()


def test_every_link_of_the_pages_leads_into_the_store(browser, store):
    for url in (URL, NAMED):
        for page in ("/", "/docs", "/docs/"):
            browser.get(url + page)
            script = "return [...document.querySelectorAll('[href], [src]')].map(one => one.href || one.src)"
            until("links", lambda: browser.run(script))
            outside = [link for link in browser.run(script) if not link.startswith((url + "/", "data:", "blob:"))]
            expect([link for link in outside if link.startswith(FRONT)], [])
        browser.get(f"{url}/redoc")
        until("the documentation", lambda: browser.current_url.split("#")[0] == f"{url}/docs")


def test_events_come_one_by_one_and_a_browser_goes_on_where_it_was(browser, store):
    store.push("events", b'"first"')
    browser.get(f"{URL}/health")
    browser.run(
        "window.got = []; window.source = new EventSource(arguments[0]);"
        "source.onmessage = event => got.push(JSON.parse(event.data).data)",
        f"{URL}/data/events?last_entry_id=first&token={store.token}",
    )
    until("what was there", lambda: browser.run("return got") == ["first"])
    store.push("events", b'"second"')
    until("what came, not gathered by the proxy", lambda: browser.run("return got") == ["first", "second"])
    browser.run("source.close()")


def test_a_camera_is_shown(browser, store):
    picture = pictures(browser, 1, 64, 48)[0]
    with Feeding(store, "cam", lambda _: picture, rate=5):
        browser.get(f"{URL}/ping")
        browser.run("document.body.innerHTML = `<img src='${arguments[0]}'>`", f"{URL}/mjpeg/cam?token={store.token}")
        until("the picture", lambda: browser.run("return document.images[0].naturalWidth === 64"))


def test_websockets_push_and_pull(browser, store):
    address = URL.replace("http", "ws", 1)
    with websockets.sync.client.connect(f"{address}/data/ws/pull?token={store.token}") as pull:
        with websockets.sync.client.connect(f"{address}/data/ws/push?ack=true&token={store.token}") as push:
            push.send(b"entry")
            entry_id = push.recv(timeout=15)
        expect(json.loads(pull.recv(timeout=15)), [[entry_id, 0]])
        expect(pull.recv(timeout=15), b"entry")


def test_the_documents_name_the_store_where_it_is(browser, store):
    for url in (URL, NAMED):
        document = requests.get(f"{url}/openapi.json").json()
        server = requests.compat.urljoin(f"{url}/openapi.json", document["servers"][0]["url"])
        expect(server.rstrip("/"), url)
        expect(requests.get(f"{url}/redoc").url, f"{url}/docs")
    server = requests.get(f"{NAMED}/asyncapi.json").json()["servers"]["store"]
    expect(f"{server['protocol']}://{server['host']}{server['pathname']}", NAMED.replace("http", "ws", 1))


def test_the_command_line_signs_in_pushes_and_pulls(browser, store):
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "XDG_CONFIG_HOME": home}

        def run(*words, give=b""):
            done = subprocess.run([PROGRAM, *words, "--url", URL], input=give, capture_output=True, env=environment, timeout=60)
            assert done.returncode == 0, done.stderr.decode()
            return done.stdout

        run("login", "ada", "--password-stdin", give=b"ada\n")
        run("push", "dev0", "--lines", give=b"one\ntwo\n")
        expect(run("pull", "dev0", "--from", "first", "--count", "2", "--lines"), b"one\ntwo\n")
        assert b"dev0" in run("streams")


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
