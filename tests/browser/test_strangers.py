"""Pages and entries of strangers get nothing of the store: python test_strangers.py URL"""
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from browser import URL, Feeding, expect, run_tests, until
from test_live import pictures

# Deletes what the visitor of a page may delete, and says so to whoever serves it.
SCRIPT = "<script>for (const path of ['/streams/victim?force=true&token=TOKEN', '/token']) fetch(path, {method: 'DELETE'})</script>"


class Site:
    """A web server of somebody else. Its pages are given by path, and it writes down what is deleted."""

    def __init__(self, pages=()):
        self.pages, self.deleted = dict(pages), []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                kind, body = site.pages.get(self.path, ("text/html", b"<title>a stranger</title>"))
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body)

            def do_DELETE(self):
                site.deleted.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class OwnStore:
    """Another store on the same Redis, started with these flags."""

    def __init__(self, *flags):
        words = [os.environ["PTG_STORE"], "--listen", "127.0.0.1:0", "--redis", os.environ["REDIS"], *flags]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"listens on (http://\S+)", line):
                self.url = found[1]
                break
        # What it still says must not fill the pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(15)


class Firefox:
    """A Firefox that has a page open. It needs no driver for that: the page says to its server what it sees."""

    def __init__(self, url):
        self.home = tempfile.mkdtemp()
        words = [shutil.which("firefox-esr"), "--headless", "--no-remote", "--profile", self.home, url]
        environment = {**os.environ, "HOME": self.home, "MOZ_CRASHREPORTER_DISABLE": "1"}
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(15)
        shutil.rmtree(self.home, ignore_errors=True)


def attack(boundary):
    """A picture, to the store, that goes on as a page for whoever believes in this boundary."""
    page = f"\r\n--{boundary}\r\nContent-Type: text/html\r\n\r\n{SCRIPT}\r\n--{boundary}--\r\n"
    return b"\xff\xd8\xff" + page.encode()


def test_a_picture_that_goes_on_as_a_page_runs_where_the_boundary_is_known_and_not_here(browser, store):
    store.push("victim", b"here")
    store.push("cam", attack("ptg-store-frame").replace(b"TOKEN", store.token.encode()))
    # First the store's reply, which ends by itself; when Firefox has seen all of it, that of a server as the store once was,
    # whose script must run: or this would find nothing.
    page = f"""<iframe src="{URL}/mjpeg/cam?timeout=1500&token={store.token}"></iframe><script>
      document.querySelector("iframe").onload = () => {{
        document.body.append(Object.assign(document.createElement("iframe"), {{src: "/careless"}}))
      }}</script>"""
    whole = b"--ptg-store-frame\r\nContent-Type: image/jpeg\r\n\r\n" + attack("ptg-store-frame")
    careless = ("multipart/x-mixed-replace; boundary=ptg-store-frame", whole)
    with Site({"/": ("text/html", page.encode()), "/careless": careless}) as site, Firefox(f"{site.url}/"):
        until("the script of the other server", lambda: len(site.deleted) == 2, seconds=60)
    expect(store.streams(), ["cam", "victim"])


def test_an_entry_that_is_a_page_runs_no_script(browser, store):
    page = f"<!doctype html><title>mine</title>{SCRIPT.replace('TOKEN', store.token)}".encode()
    store.push("victim", b"here")
    store.push("page", page)
    paths = ["/data/page", "/data/page?format=raw", "/data/page?format=json", "/data/page?follow=true&last_entry_id=first&timeout=500"]
    for path in paths:
        address = f"{URL}{path}{'&' if '?' in path else '?'}token={store.token}"
        # Opened, in a frame, and as a script, of the store's own origin: the strongest place that there is.
        browser.get(f"{URL}/health")
        browser.run(
            "window.done = 0; const frame = document.createElement('iframe'), script = document.createElement('script');"
            "frame.onload = script.onload = script.onerror = () => done++;"
            "frame.src = script.src = arguments[0]; document.body.append(frame, script)",
            address,
        )
        until("the script to be refused", lambda: browser.run("return done > 0"))
        expect(browser.run("return document.title"), "")
    expect(store.streams(), ["page", "victim"])
    browser.get_log("browser")  # that all of it was refused, in the browser's words


TRY = """
  const [url, token, done] = arguments, bearer = {headers: {Authorization: `Bearer ${token}`}};
  const asked = promise => promise.then(reply => reply.status, () => "refused");
  const opened = path => new Promise(resolve => {
    const socket = new WebSocket(url.replace("http", "ws") + path);
    socket.onopen = () => { resolve("open"); socket.close(); };
    socket.onerror = () => resolve("refused");
  });
  const heard = path => new Promise(resolve => {
    const source = new EventSource(url + path);
    source.onopen = () => { resolve("open"); source.close(); };
    source.onerror = () => { resolve("refused"); source.close(); };
  });
  Promise.all([
    asked(fetch(url + "/token", {method: "POST", body: new URLSearchParams({username: "eve", password: "eve"})})),
    asked(fetch(url + "/streams/", bearer)),
    asked(fetch(url + "/data/victim", {...bearer, headers: {...bearer.headers, "Last-Event-ID": "1-1", "Cache-Control": "no-cache"}})),
    asked(fetch(`${url}/streams/victim?token=${token}`, {method: "DELETE"})),
    opened(`/data/victim/pull?token=${token}`),
    opened(`/data/victim/push?token=${token}`),
    heard(`/data/victim?token=${token}`),
  ]).then(done)
"""


def test_a_page_of_strangers_gets_nothing_even_with_a_token(browser, store):
    with Site() as stranger:
        for page in (stranger.url, stranger.url.replace("127.0.0.1", "localhost")):
            store.push("victim", b"here")
            browser.get(page)
            expect(browser.execute_async_script(TRY, URL, store.token), ["refused"] * 7)
            expect(store.streams(), ["victim"])
    browser.get_log("browser")


def test_a_form_of_strangers_changes_nothing(browser, store):
    form = f"<form method=post action='{URL}/data/victim?token={store.token}' enctype=multipart/form-data><input name=entries value=bad></form>"
    store.push("victim", b"here")
    with Site({"/form": ("text/html", f"{form}<script>document.forms[0].submit()</script>".encode())}) as stranger:
        browser.get(f"{stranger.url}/form")
        until("the refusal", lambda: "--allow-origin" in browser.text("body"))
    expect([entry for _, entry in store.newest("victim", 9)], [b"here"])
    browser.get_log("browser")


def test_a_page_of_an_allowed_origin_may_do_it_all(browser, store):
    with Site() as friend, OwnStore("--allow-origin", friend.url) as open_store:
        store.push("victim", b"here")
        browser.get(friend.url)
        expect(browser.execute_async_script(TRY, open_store.url, store.token), [200, 200, 200, 200, "open", "open", "open"])
        browser.get(friend.url.replace("127.0.0.1", "localhost"))
        expect(browser.execute_async_script(TRY, open_store.url, store.token), ["refused"] * 7)
    browser.get_log("browser")


def test_the_own_page_may_do_it_all_by_whatever_name_it_was_opened(browser, store):
    for url in (URL, URL.replace("127.0.0.1", "localhost")):
        store.push("victim", b"here")
        browser.get(f"{url}/health")
        expect(browser.execute_async_script(TRY, url, store.token), [200, 200, 200, 200, "open", "open", "open"])


def test_a_page_of_a_file_shows_a_camera_and_may_do_more_only_if_allowed(browser, store):
    picture = pictures(browser, 1, 64, 48)[0]
    with tempfile.TemporaryDirectory() as folder, OwnStore("--allow-origin", "null") as open_store:
        page = Path(folder) / "camera.html"
        # As docs/pages.md has it.
        page.write_text(f"<img src='{URL}/mjpeg/cam?token={store.token}'>")
        # A browser shows a picture when the next one comes, and then the page is loaded.
        with Feeding(store, "cam", lambda _: picture, rate=5):
            browser.get(page.as_uri())
            until("the picture", lambda: browser.run("return document.images[0].naturalWidth === 64"))
        store.push("victim", b"here")
        expect(browser.execute_async_script(TRY, URL, store.token), ["refused"] * 7)
        expect(browser.execute_async_script(TRY, open_store.url, store.token), [200, 200, 200, 200, "open", "open", "open"])
    browser.get_log("browser")


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
