"""What the browser tests share: a Chromium, waiting, the store behind the page, and a runner."""
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from urllib.parse import quote

import requests
import websockets.sync.client
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

URL = sys.argv[1].rstrip("/")
SHOTS = Path(os.environ.get("SHOTS", "target/browser")).absolute()
WAIT = 15  # seconds that anything may take to show up

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1400,1000"
).split()


class Store:
    """The store behind the page, as a program uses it."""

    def __init__(self, url=URL):
        self.url = url
        reply = requests.post(f"{url}/token", data={"username": "test", "password": "test"})
        reply.raise_for_status()
        self.token = reply.json()["access_token"]

    def ask(self, method, path, **options):
        reply = requests.request(method, self.url + path, headers={"Authorization": f"Bearer {self.token}"}, **options)
        reply.raise_for_status()
        return reply

    def streams(self):
        return self.ask("GET", "/streams/").json()

    def describe(self, stream, **parameters):
        self.ask("PUT", f"/streams/{quote(stream, safe='')}", params={"override": "true", **parameters})

    def delete(self, stream):
        self.ask("DELETE", f"/streams/{quote(stream, safe='')}", params={"force": "true"})

    def push(self, stream, entry):
        return self.ask("POST", f"/data/{quote(stream, safe='')}", files=[("entries", entry)]).json()[0]

    def newest(self, stream, count=1):
        reply = self.ask("GET", f"/data/{quote(stream, safe='')}", params={"count": count})
        offsets = json.loads(reply.headers["entry-offset"])
        ends = [offset for _, offset in offsets[1:]] + [len(reply.content)]
        return [(entry_id, reply.content[start:end]) for (entry_id, start), end in zip(offsets, ends)]

    def socket(self, stream):
        address = f"{self.url.replace('http', 'ws', 1)}/data/{quote(stream, safe='')}/push?token={self.token}"
        return websockets.sync.client.connect(address, max_size=None)


class Feeding(threading.Thread):
    """Pushes entries into a stream, so many a second (None: as fast as it goes), until the with block ends."""

    def __init__(self, store, stream, make, rate):
        super().__init__(daemon=True)
        self.store, self.stream, self.make, self.rate = store, stream, make, rate
        self.ended, self.sent = threading.Event(), 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(30)

    def run(self):
        start = time.monotonic()
        with self.store.socket(self.stream) as push:
            while not self.ended.is_set():
                push.send(self.make(self.sent))
                self.sent += 1
                if self.rate:
                    self.ended.wait(max(0, start + self.sent / self.rate - time.monotonic()))


class Wire:
    """A TCP proxy in front of the store: a network that can be cut, or slow (bytes a second on the way to the browser)."""

    def __init__(self, rate=None):
        self.rate = rate
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.pairs, self.broken = [], False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        host, port = URL.rsplit("/", 1)[-1].split(":")
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.broken:
                client.close()
                continue
            server = socket.create_connection((host, int(port)))
            self.pairs.append((client, server))
            for one, other, rate in ((client, server, None), (server, client, self.rate)):
                threading.Thread(target=self.copy, args=(one, other, rate), daemon=True).start()

    @staticmethod
    def copy(one, other, rate):
        try:
            while data := one.recv(1 << 16):
                other.sendall(data)
                if rate:
                    time.sleep(len(data) / rate)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        self.broken = True
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()
        self.pairs = []

    def mend(self):
        self.broken = False

    def close(self):
        self.cut()
        self.listener.close()


class Browser(webdriver.Chrome):
    """A Chromium with a profile of its own that is gone at the end."""

    def __init__(self):
        self.profile = tempfile.mkdtemp()
        self.downloads = Path(tempfile.mkdtemp())
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in FLAGS + [f"--user-data-dir={self.profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Named, so that selenium does not look for a driver elsewhere.
        super().__init__(options=options, service=Service(shutil.which("chromedriver")))
        self.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(self.downloads)})

    def quit(self):
        super().quit()
        shutil.rmtree(self.profile, ignore_errors=True)
        shutil.rmtree(self.downloads, ignore_errors=True)

    def one(self, selector):
        return self.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """What a reader sees, whole: also what is scrolled out of sight."""
        return self.execute_script("return document.querySelector(arguments[0])?.textContent ?? null", selector)

    def run(self, script, *arguments):
        return self.execute_script(script, *arguments)

    def fill(self, selector, text):
        field = self.one(selector)
        field.clear()
        # Set as a paste would: ChromeDriver types no characters beyond the BMP.
        self.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", field, text)

    def look(self, dark=False, phone=False):
        scheme = "dark" if dark else "light"
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        if phone:
            size = {"width": 375, "height": 800, "deviceScaleFactor": 2, "mobile": True}
            self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        else:
            self.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.save_screenshot(str(SHOTS / f"{name}.png"))

    def complaints(self):
        """Warnings and errors of the console, but for requests that were refused because nobody has signed in."""
        lines = [line["message"] for line in self.get_log("browser") if line["level"] in ("WARNING", "SEVERE")]
        return [line for line in lines if "401 (Unauthorized)" not in line and "/favicon.ico" not in line]


def until(what, condition, seconds=WAIT):
    """Waits for a condition and returns what it returned; `what` names it when it never comes."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)
    return result


def expect(actual, expected):
    assert actual == expected, f"expected {expected!r}, got {actual!r}"


def run_tests(module):
    """Runs the functions test_* of a module, or those named on the command line, in one browser; each begins signed out."""
    tests = [(name, test) for name, test in vars(module).items() if name.startswith("test_")]
    tests = [(name, test) for name, test in tests if name in sys.argv[2:] or not sys.argv[2:]]
    browser, store = Browser(), Store()
    print(f"# {browser.capabilities['browserName']} {browser.capabilities['browserVersion']}", flush=True)
    try:
        results = [run_test(name, test, browser, store) for name, test in tests]
    finally:
        browser.quit()
    sys.exit(not (results and all(results)))


def run_test(name, test, browser, store):
    try:
        begin_anew(browser, store)
        test(browser, store)
        expect(browser.complaints(), [])
    except Exception:
        print(f"not ok {name}", flush=True)
        traceback.print_exc()
        browser.shot(f"failed-{name}")
        return False
    print(f"ok {name}", flush=True)
    return True


def begin_anew(browser, store):
    browser.look()
    browser.get(f"{URL}/health")
    browser.delete_all_cookies()
    browser.get("about:blank")
    browser.get_log("browser")
    for stream in store.streams():
        store.delete(stream)
