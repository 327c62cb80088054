"""The live page in a browser: python test_live.py URL [TEST…]"""
import base64
import json
import math
import re
import struct
import subprocess
import sys
import time
from urllib.parse import quote

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from browser import URL, Feeding, Wire, expect, run_tests, until

# ------------------------------------------------------------ what a user does


def sign_in(browser, hash="", url=URL, query=""):
    browser.get(f"{url}/{query}{hash}")
    until("the sign-in form", lambda: browser.one("#sign-in").is_displayed())
    type_password(browser, "ada")
    until("the page", lambda: browser.one("#panels").is_displayed())


def type_password(browser, password, user="ada"):
    for name, text in (("username", user), ("password", password)):
        browser.one(f"[name={name}]").clear()
        browser.one(f"[name={name}]").send_keys(text)
    browser.one("#sign-in-form button").click()


def open_stream(browser, stream):
    browser.run("location.hash = '#/' + encodeURIComponent(arguments[0])", stream)
    until(f"the view of {stream}", lambda: browser.text("#view-name") == stream)


def row(browser, stream):
    """The texts of a stream's row, or None."""
    rows = browser.run("return [...document.querySelectorAll('#rows tr')].map(row => [...row.cells].map(cell => cell.textContent))")
    return next((cells for cells in rows if cells[0].startswith(stream)), None)


def number_in(text):
    """Of a cell; what is not known yet is nothing."""
    return float(text.strip("≥ –") or 0)


def age_state(browser, stream):
    script = (
        "const row = [...document.querySelectorAll('#rows tr')].find(row => row.querySelector('bdi').textContent === arguments[0]);"
        "return row?.querySelector('.age').dataset.state"
    )
    return browser.run(script, stream)


def fact(browser, name):
    script = (
        "const term = [...document.querySelectorAll('#facts dt')].find(dt => dt.textContent === arguments[0]);"
        "return term?.nextSibling.textContent ?? ''"
    )
    return browser.run(script, name)


def per_second(browser, name):
    found = re.match(r"[\d.,]+", fact(browser, name))
    return float(found[0].replace(",", "")) if found else 0


def lag_ms(browser):
    found = re.fullmatch(r"([\d.]+) (ms|s|min|h)", fact(browser, "Lag"))
    return float(found[1]) * {"ms": 1, "s": 1e3, "min": 6e4, "h": 3.6e6}[found[2]] if found else None


def pulling(browser):
    """How the view is connected: connecting, open, lost or paused."""
    return browser.one("#pulling").get_attribute("data-state")


def banner(browser):
    return browser.text("#banner")


def status(browser):
    return browser.text("#status")


def drop(browser, name, content):
    """Drops a file onto the page, as far as a script can."""
    script = (
        "const data = new DataTransfer();"
        "data.items.add(new File([arguments[1]], arguments[0]));"
        "for (const type of ['dragover', 'drop'])"
        "  document.body.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));"
    )
    browser.run(script, name, content)


def keys(browser, *pressed):
    ActionChains(browser).send_keys(*pressed).perform()


def focused(browser):
    return browser.run("return document.activeElement.id || document.activeElement.textContent.trim()")


def pictures(browser, count, width, height, noise=False):
    """JPEG frames, each of another colour; with noise each is large and slow to decode."""
    script = """
        const [count, width, height, noise] = arguments, canvas = Object.assign(document.createElement('canvas'), {width, height});
        const paper = canvas.getContext('2d'), frames = [];
        for (let i = 0; i < count; i++) {
          if (noise) {
            const pixels = paper.createImageData(width, height);
            for (let at = 0; at < pixels.data.length; at++) pixels.data[at] = at % 4 === 3 ? 255 : Math.random() * 256;
            paper.putImageData(pixels, 0, 0);
          }
          paper.fillStyle = `hsl(${360 * i / count} 80% 50%)`;
          paper.fillRect(0, 0, noise ? 32 : width, noise ? 32 : height);
          frames.push(canvas.toDataURL('image/jpeg', 0.92).split(',')[1]);
        }
        return frames"""
    return [base64.b64decode(frame) for frame in browser.run(script, count, width, height, noise)]


def wav(samples, rate=16000):
    sound = b"".join(struct.pack("<h", round(20000 * math.sin(i / 20))) for i in range(samples))
    head = struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(sound)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(sound)) + sound


def stage(browser):
    return browser.one("#stage").get_attribute("data-kind")


def nothing_ran(browser):
    """No script of a stranger ran, and none of his markup became part of the page."""
    expect(browser.run("return window.pwned === undefined"), True)
    expect(browser.run("return document.scripts.length"), 1)
    expect(len(browser.all("#rows :is(img, script, svg:not(.chart), iframe, style), #text :not(span), #view-name *, #stored :is(img, script, svg)")), 0)


# ------------------------------------------------------------ signing in and out


def test_a_wrong_password_is_told_and_the_right_one_opens_the_page(browser, store):
    browser.get(URL)
    until("the sign-in form", lambda: browser.one("#sign-in").is_displayed())
    type_password(browser, "wrong")
    until("the reason", lambda: browser.text("#sign-in-error") == "Incorrect username or password")
    assert not browser.one("#panels").is_displayed()
    type_password(browser, "ada")
    until("the page", lambda: browser.one("#panels").is_displayed())
    assert not browser.one("#sign-in").is_displayed()
    browser.refresh()
    until("still signed in after a reload", lambda: browser.one("#panels").is_displayed())


def test_signing_out_leaves_nothing_behind(browser, store):
    store.push("secret", b"secret entry")
    sign_in(browser, "#/secret")
    until("the entry", lambda: browser.text("#text") == "secret entry")
    browser.one("#sign-out").click()
    until("the sign-in form", lambda: browser.one("#sign-in").is_displayed())
    assert "secret entry" not in browser.page_source
    expect(browser.all("#rows tr"), [])
    expect(browser.get_cookies(), [])
    browser.refresh()
    until("the sign-in form", lambda: browser.one("#sign-in").is_displayed())
    assert not browser.one("#panels").is_displayed()


# ------------------------------------------------------------ the table


def test_an_empty_store_is_explained_and_its_three_lines_work(browser, store):
    sign_in(browser)
    until("the explanation", lambda: browser.one("#empty").is_displayed())
    expect(len(browser.text("#first-lines").split("\n")), 3)
    lines = copied(browser, "#copy-first")
    output = subprocess.run(["bash", "-euc", lines], capture_output=True, text=True, timeout=30, check=True).stdout
    expect(output.endswith("hello"), True)
    until("the stream in the table", lambda: row(browser, "dev0"))
    assert not browser.one("#empty").is_displayed()


def copied(browser, button):
    """What a copy button puts on the clipboard, which headless browsers do not all have."""
    browser.run("navigator.clipboard.writeText = async text => { window.copied = text; }")
    browser.run("arguments[0].click()", browser.one(button))
    return until("something copied", lambda: browser.run("return window.copied"))


def test_streams_appear_with_rates_retention_and_description(browser, store):
    sign_in(browser)
    store.describe("sensor", desc="water bath", max_len=500)
    with Feeding(store, "sensor", lambda i: b"x" * 100_000, 20):
        until("the stream", lambda: row(browser, "sensor"))
        until("its rate", lambda: 18 < number_in(row(browser, "sensor")[2]) < 22)
        until("its bytes", lambda: 1.8 < number_in(row(browser, "sensor")[3]) < 2.2)
        until("live", lambda: age_state(browser, "sensor") == "live")
        chart = lambda: browser.one("#rows .chart path:last-child").get_attribute("d") or ""
        until("its chart", lambda: chart().count("L") >= 2)
    cells = row(browser, "sensor")
    expect(cells[0], "sensorwater bath")
    assert cells[1].endswith("of 500"), cells
    assert re.match(r"1 stream · [\d.]+ entries/s · [\d.]+ MB/s", browser.text("#summary"))
    store.delete("sensor")
    until("the stream gone", lambda: row(browser, "sensor") is None)


def test_a_stream_that_falls_silent_turns_amber_then_red_for_everybody(browser, store):
    store.push("never-live", b"long ago")
    sign_in(browser, "#/heart")
    with Feeding(store, "heart", lambda i: b"beat", 5):
        until("live", lambda: age_state(browser, "heart") == "live")
        until("live beside its name", lambda: browser.text("#state") == "live")
        green = age_colour(browser, "heart")
        time.sleep(6)  # a rhythm takes five seconds with entries
    until("amber", lambda: age_state(browser, "heart") == "late", 8)
    amber = age_colour(browser, "heart")
    assert row(browser, "heart")[4].endswith("s late")
    expect((browser.text("#state"), pulling(browser)), ("late", "open"))
    browser.shot("silence-amber")
    until("red", lambda: age_state(browser, "heart") == "silent", 12)
    assert row(browser, "heart")[4].endswith("s silent")
    expect((browser.text("#state"), status(browser)), ("silent", "heart fell silent."))
    browser.shot("silence-red")
    expect(len({green, amber, age_colour(browser, "heart")}), 3)
    expect(age_state(browser, "never-live"), "idle")
    browser.refresh()
    until("red after a reload", lambda: age_state(browser, "heart") == "silent")
    expect(age_state(browser, "never-live"), "idle")
    with Feeding(store, "heart", lambda i: b"beat", 5):
        until("live again", lambda: age_state(browser, "heart") == "live")


def age_colour(browser, stream):
    script = (
        "const row = [...document.querySelectorAll('#rows tr')].find(row => row.querySelector('bdi').textContent === arguments[0]);"
        "return getComputedStyle(row.querySelector('.age')).color"
    )
    return browser.run(script, stream)


def test_the_table_can_be_filtered(browser, store):
    for stream in ("camera", "thermometer"):
        store.push(stream, b"x")
    sign_in(browser)
    until("both", lambda: row(browser, "thermometer"))
    browser.fill("#filter", "CAM")
    visible = "return [...document.querySelectorAll('#rows tr:not([hidden]) bdi')].map(name => name.textContent)"
    expect(browser.run(visible), ["camera"])
    browser.fill("#filter", "nothing like it")
    assert browser.one("#no-match").is_displayed()


def test_a_hidden_tab_asks_for_nothing(browser, store):
    store.push("dev0", b"x")
    sign_in(browser, "#/dev0")
    until("the pull", lambda: pulling(browser) == "open")
    # Headless tabs are never hidden by themselves.
    hide = "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    browser.run(hide, True)
    until("the pull closed", lambda: 'ptg_sockets_open{kind="pull"} 0' in store.ask("GET", "/metrics").text)
    asked = "return performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('/activity')).length"
    time.sleep(0.3)
    before = browser.run(asked)
    time.sleep(2.5)
    expect(browser.run(asked), before)
    store.push("dev0", b"y")
    browser.run(hide, False)
    until("the newest entry", lambda: browser.text("#text") == "y")
    until("asking again", lambda: browser.run(asked) > before)


# ------------------------------------------------------------ the view


def test_a_picture_is_updated_thirty_times_a_second(browser, store):
    browser.get(f"{URL}/health")
    frames = pictures(browser, 90, 640, 480)
    sign_in(browser, "#/cam0")
    with Feeding(store, "cam0", lambda i: frames[i % 90], 30) as feeding:
        until("a picture", lambda: stage(browser) == "picture")
        watch = """
            const done = arguments[0], canvas = document.getElementById('picture'), seen = [], start = performance.now();
            const copy = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
            const look = () => {
              copy.drawImage(canvas, 50, 50, 1, 1, 0, 0, 1, 1);
              seen.push(copy.getImageData(0, 0, 1, 1).data.join());
              performance.now() - start < 2000 ? requestAnimationFrame(look) : done(new Set(seen).size);
            };
            look()"""
        different = browser.execute_async_script(watch)
        assert different >= 40, f"{different} different pictures in two seconds"
        until("30 drawn a second", lambda: 25 < per_second(browser, "Drawn") < 35)
        until("its rate", lambda: 25 < per_second(browser, "Rate") < 35)
        assert lag_ms(browser) < 500, fact(browser, "Lag")
        browser.shot("picture")
    last, _ = store.newest("cam0")[0]
    until("the last one stays", lambda: fact(browser, "Entry id") == last)
    assert feeding.sent > 60
    expect(fact(browser, "Kind"), "JPEG 640 × 480")


def test_the_newest_wins_over_a_stream_that_is_faster_than_the_page(browser, store):
    browser.get(f"{URL}/health")
    frames = pictures(browser, 6, 1280, 720, noise=True)
    store.describe("flood", max_len=30)
    sign_in(browser, "#/flood")
    heap = "return performance.memory.usedJSHeapSize / 1e6"
    with Feeding(store, "flood", lambda i: frames[i % 6], None) as feeding:
        until("a picture", lambda: stage(browser) == "picture")
        lags, end = [], time.monotonic() + 12
        while time.monotonic() < end:
            time.sleep(0.2)
            if (lag := lag_ms(browser)) is not None:
                lags.append(lag)
        pushed = feeding.sent / 13
        drawn = per_second(browser, "Drawn")
    print(f"# pushed about {pushed:.0f}/s of {len(frames[0]) / 1e6:.1f} MB, drawn {drawn:.0f}/s, lag at most {max(lags):.0f} ms, "
          f"heap {browser.run(heap):.0f} MB")
    assert drawn < pushed * 0.8, f"{pushed} pushed and {drawn} drawn a second: no flood"
    assert max(lags) < 6000, lags
    assert sum(lags[-10:]) / 10 < 4000, lags
    last, _ = store.newest("flood")[0]
    until("the last one", lambda: fact(browser, "Entry id") == last, 10)


def test_over_a_slow_network_what_is_shown_is_recent(browser, store):
    browser.get(f"{URL}/health")
    frames = pictures(browser, 4, 320, 240, noise=True)
    store.describe("camera", max_len=100)
    wire = Wire(rate=500_000)
    try:
        sign_in(browser, "#/camera", url=wire.url)
        until("the pull", lambda: pulling(browser) == "open")
        lags, drawn = [], set()
        with Feeding(store, "camera", lambda i: frames[i % 4], 30):
            until("a picture", lambda: stage(browser) == "picture")
            end = time.monotonic() + 10
            while time.monotonic() < end:
                time.sleep(0.05)
                drawn.add(fact(browser, "Entry id"))
                if (lag := lag_ms(browser)) is not None:
                    lags.append(lag)
        size = len(frames[0])
        print(f"# {size} bytes 30 times a second over 500 kB/s: {len(drawn)} drawn, lag at most {max(lags):.0f} ms")
        assert 30 * size > 2 * 500_000, f"{size} bytes: the network is not slow"
        # Each is on its way for its size; one that waited behind another would take twice as long.
        assert sorted(lags)[len(lags) * 95 // 100] < 1000 * 2 * size / 500_000 + 300, sorted(lags)[-10:]
        # The network is used: an entry at a time, one after the other.
        assert len(drawn) > 10 * 500_000 / size / 3, len(drawn)
    finally:
        wire.close()
    browser.get_log("browser")


def test_each_kind_is_shown_as_what_it_is(browser, store):
    gif = base64.b64decode("R0lGODlhAQABAIAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==")
    png = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
    kinds = [
        (b'{"a":[1,2.50,12345678901234567890],"b":{"c":null}}', "text", "JSON"),
        ("käse ☃\nzweite Zeile".encode(), "text", "text"),
        (b"12.5", "text", "text"),
        (b"", "text", "empty"),
        (png, "picture", "PNG 1 × 1"),
        (gif, "animation", "GIF 1 × 1"),
        (wav(1600), "wave", "WAV s16le, 1 channel, 16,000 Hz, 0.100 s, 1,600 samples"),
        (bytes(range(256)) * 8, "hex", "bytes"),
        (b"\xff\xd8\xff broken", "hex", "bytes; a picture that does not decode"),
        (b"RIFF\0\0\0\0WAVEfmt ", "hex", "bytes; a WAV without sound"),
    ]
    sign_in(browser, "#/mixed")
    until("the pull", lambda: pulling(browser) == "open")
    for entry, kind, name in kinds:
        entry_id = store.push("mixed", entry)
        until(f"{name} shown", lambda: fact(browser, "Entry id") == entry_id)
        expect((stage(browser), fact(browser, "Kind")), (kind, name))

    numbers = store.push("mixed", kinds[0][0])
    until("the JSON", lambda: fact(browser, "Entry id") == numbers)
    expect(browser.text("#text"), '{\n  "a": [1, 2.50, 12345678901234567890],\n  "b": {"c": null}\n}')

    hexes = store.push("mixed", bytes(range(256)) * 8)
    until("the bytes", lambda: fact(browser, "Entry id") == hexes)
    expect(len(browser.text("#text").split("\n")), 64)
    assert browser.text("#text").startswith("000000  00 01 02 03 "), browser.text("#text")[:60]
    browser.one("#more").click()
    until("all of it", lambda: len(browser.text("#text").split("\n")) == 128)

    browser.run("const list = document.getElementById('show-as'); list.value = 's16le-2'; list.dispatchEvent(new Event('change'))")
    until("as sound", lambda: fact(browser, "Kind") == "PCM s16le, 2 channels, 512 samples")
    expect(browser.run("return location.hash"), "#/mixed/s16le-2")


def test_a_huge_json_is_collapsed(browser, store):
    store.push("big", json.dumps([{"number": i, "text": "x" * 80} for i in range(5000)]).encode())
    sign_in(browser, "#/big")
    until("the JSON", lambda: fact(browser, "Kind") == "JSON")
    assert len(browser.text("#text")) <= 6000
    assert browser.one("#more").text.startswith("Show more of"), browser.one("#more").text
    browser.one("#more").click()
    until("more of it", lambda: len(browser.text("#text")) > 100_000)
    expect(browser.one("#more").text, "Show less")


def test_pause_step_and_download(browser, store):
    for i in range(60):
        store.push("log", f"line {i}".encode())
    sign_in(browser, "#/log")
    until("the newest", lambda: browser.text("#text") == "line 59")
    browser.one("#pause").click()
    expect(pulling(browser), "paused")
    store.push("log", b"line 60")
    # Only the newest was at hand, so these come from the store, several times over.
    for i in range(58, 20, -1):
        browser.one("#older").click()
        until(f"line {i}", lambda: browser.text("#text") == f"line {i}")
    browser.one("#newer").click()
    until("line 22", lambda: browser.text("#text") == "line 22")
    browser.one("#download").click()
    file = until("the file", lambda: next((f for f in browser.downloads.iterdir() if f.suffix == ".txt"), None))
    until("its bytes", lambda: file.read_bytes() == b"line 22")
    assert re.fullmatch(r"log-\d+-\d+\.txt", file.name), file.name
    for i in range(23, 61):
        browser.one("#newer").click()
        until(f"line {i}", lambda: browser.text("#text") == f"line {i}")
    browser.one("#newer").click()
    until("the end", lambda: status(browser) == "There is no newer entry.")
    browser.one("#pause").click()
    until("the pull", lambda: pulling(browser) == "open")
    store.push("log", b"line 61")
    until("what follows", lambda: browser.text("#text") == "line 61")


def test_stepping_back_reaches_the_first_entry_across_a_batch(browser, store):
    # All of a POST is stored at once, many of them in one millisecond.
    store.ask("POST", "/data/batch", files=[("entries", f"entry {i}".encode()) for i in range(50)])
    sign_in(browser, "#/batch")
    until("the newest", lambda: browser.text("#text") == "entry 49")
    for i in range(48, -1, -1):
        browser.one("#older").click()
        until(f"entry {i}", lambda: browser.text("#text") == f"entry {i}")
    browser.one("#older").click()
    until("the start", lambda: status(browser) == "There is no older entry.")


def test_the_view_reconnects_and_goes_on_where_it_was(browser, store):
    wire = Wire()
    try:
        sign_in(browser, "#/dev0", url=wire.url)
        store.push("dev0", b"before")
        until("live", lambda: browser.text("#text") == "before")
        last = fact(browser, "Entry id")
        wire.cut()
        until("it says so", lambda: "Lost the connection to dev0" in status(browser))
        expect(pulling(browser), "lost")
        for text in (b"one", b"two", b"three"):
            store.push("dev0", text)
        wire.mend()
        until("connected again", lambda: pulling(browser) == "open", 20)
        until("the newest", lambda: browser.text("#text") == "three")
        browser.one("#pause").click()
        for text in ("two", "one", "before"):
            browser.one("#older").click()
            until(text, lambda: browser.text("#text") == text)
        expect(fact(browser, "Entry id"), last)
    finally:
        wire.close()
    # A lost network is what this test is about, and the console may say so.
    browser.get_log("browser")


def test_a_view_can_be_linked_and_reloaded(browser, store):
    store.push("a b+c?d#e&f%41", b"linked")
    sign_in(browser, "#/" + quote("a b+c?d#e&f%41", safe=""))
    until("the entry", lambda: browser.text("#text") == "linked")
    browser.refresh()
    until("the entry again", lambda: browser.text("#text") == "linked")
    expect(browser.text("#view-name"), "a b+c?d#e&f%41")
    browser.run("location.hash = '#/%E0%A4%A'")
    until("a broken link shows the table", lambda: not browser.one("#view").is_displayed())


def test_the_copied_lines_bring_the_entry(browser, store):
    store.push("dev0", b"older")
    store.push("dev0", b"newest")
    sign_in(browser, "#/dev0")
    until("the newest", lambda: browser.text("#text") == "newest")
    browser.one("#older").click()
    until("the older", lambda: browser.text("#text") == "older")
    browser.one("#view summary").click()
    lines = browser.all("#lines .line")
    expect([line.find_element("css selector", "span").text for line in lines], ["curl", "websocat", "Python"])
    assert store.token not in browser.page_source
    curl = copied(browser, "#lines .line:nth-child(1) button").replace("-o entry", "-o -")
    expect(subprocess.run(["bash", "-euc", curl], capture_output=True, timeout=30).stdout, b"older")
    browser.run("window.copied = null")
    python = copied(browser, "#lines .line:nth-child(3) button")
    output = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, timeout=30, check=True).stdout
    assert output.strip().endswith(" 5"), output


# ------------------------------------------------------------ pushing, describing, deleting


def test_push_by_drop(browser, store):
    store.push("inbox", b"first")
    sign_in(browser, "#/inbox")
    until("the view", lambda: browser.text("#text") == "first")
    drop(browser, "note.txt", "dropped")
    until("shown", lambda: browser.text("#text") == "dropped")
    stored, entry = store.newest("inbox")[0]
    expect(entry, b"dropped")
    until("its id listed", lambda: browser.text("#stored li code") == stored)
    assert not browser.one("#drop").is_displayed()


def test_files_dropped_before_a_stream_is_named_wait_for_the_name(browser, store):
    sign_in(browser)
    drop(browser, "early.bin", "\x00\x01")
    until("the question", lambda: browser.text("#push-note").startswith("Name the stream for early.bin"))
    expect(focused(browser), "push-name")
    keys(browser, "brand new", Keys.ENTER)
    until("the new stream", lambda: browser.text("#view-name") == "brand new")
    expect(store.newest("brand new")[0][1], b"\x00\x01")


def test_push_of_text_and_what_the_store_refuses(browser, store):
    sign_in(browser)
    browser.fill("#push-name", "notes")
    browser.fill("#push-text", "käse ☃ 𝄞")
    browser.one("#push-form button.main").click()
    until("shown", lambda: browser.text("#text") == "käse ☃ 𝄞")
    expect(browser.text("#stored li code"), store.newest("notes")[0][0])
    for name, reason in (("a/b", "no /"), ("XMETA:x", "does not begin with"), ("..", "A browser cannot ask for")):
        browser.fill("#push-name", name)
        browser.one("#push-form button.main").click()
        until(f"{name} refused", lambda: reason in browser.text("#push-note"))
    expect(store.streams(), ["notes"])
    # 422 is what this test asks for.
    expect([line for line in browser.complaints() if "422" not in line], [])


def test_create_describe_and_delete(browser, store):
    sign_in(browser)
    browser.one("#create").click()
    for name, value in (("id", "probe"), ("desc", "a probe"), ("max_len", "50"), ("meta", '{"unit":"K"}')):
        browser.fill(f"#describe-form [name={name}]", value)
    browser.one("#describe-form button.main").click()
    until("it is opened", lambda: browser.text("#view-name") == "probe")
    expect(store.ask("GET", "/streams/probe").json()["meta"], {"id": "probe", "description": "a probe", "metadata": {"unit": "K"}, "max_len": 50})
    until("its row", lambda: (row(browser, "probe") or ["", ""])[1] == "0 of 50")

    browser.one("#describe").click()
    until("its values", lambda: browser.one("#describe-form [name=desc]").get_property("value") == "a probe")
    browser.fill("#describe-form [name=desc]", "better words")
    browser.one("#describe-form button.main").click()
    until("closed", lambda: not browser.one("#describe-dialog").is_displayed())
    expect(store.ask("GET", "/streams/probe").json()["meta"]["metadata"], {"unit": "K"})
    until("the new words", lambda: "better words" in row(browser, "probe")[0])

    # What nobody touches keeps its digits, and an emptied field is the default again.
    store.describe("probe", meta='{"unit":12345678901234567890123}')
    browser.one("#describe").click()
    until("its values", lambda: browser.one("#describe-form [name=desc]").get_property("value") == "better words")
    browser.fill("#describe-form [name=desc]", "")
    browser.one("#describe-form button.main").click()
    until("closed", lambda: not browser.one("#describe-dialog").is_displayed())
    expect(store.ask("GET", "/streams/probe").json()["meta"], {"id": "probe", "description": "probe", "metadata": {"unit": 12345678901234567890123}, "max_len": 50})

    browser.one("#describe").click()
    until("the dialog", lambda: browser.one("#describe-dialog").is_displayed())
    browser.fill("#describe-form [name=meta]", "no JSON")
    browser.one("#describe-form button.main").click()
    until("the reason", lambda: browser.text("#describe-error").startswith("meta: "))
    keys(browser, Keys.ESCAPE)

    browser.one("#delete").click()
    expect(browser.text("#delete-title"), "Delete probe?")
    keys(browser, Keys.ENTER)  # what has the focus keeps it
    expect(store.streams(), ["probe"])
    browser.one("#delete").click()
    browser.one("#delete-form .danger").click()
    until("deleted", lambda: store.streams() == [])
    until("the table again", lambda: not browser.one("#view").is_displayed())
    expect([line for line in browser.complaints() if "422" not in line], [])


# ------------------------------------------------------------ hostile streams

HOSTILE_NAMES = [
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=pwned=1>',
    "'-(window.pwned=1)-'",
    "javascript:window.pwned=1",
    "\u202egpj.exe \u2066x",
    "$(touch pwned)`touch pwned`'; touch pwned; '",
    "{{constructor.constructor('pwned=1')()}}",
    "%3Cb%3E&lt;b&gt;",
    "__proto__",
    "x" * 256,
]

HOSTILE_ENTRIES = [
    b'{"<img src=x onerror=window.pwned=1>":"<\\/script><script>window.pwned=1<\\/script>","__proto__":{"pwned":1}}',
    b'"</pre><script>window.pwned=1</script>"',
    b"<!doctype html><html><body onload='window.pwned=1'><script>window.pwned=1</script></html>",
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.pwned=1"><script>window.pwned=1</script></svg>',
    b"<img src=x onerror=window.pwned=1>",
    b"[" * 3000 + b"]" * 3000,
    b"GIF89a/*<script>window.pwned=1</script>*/=1;",
    "\u202etxet desrever\u202c \u2028 \ufeff".encode(),
]


def visible(name):
    """As the page shows it: what turns the reading direction is spelled out."""
    return re.sub("[\u202e\u2066]", lambda found: f"⟨U+{ord(found[0]):04X}⟩", name)


def test_hostile_names_are_text(browser, store):
    for name in HOSTILE_NAMES:
        store.push(name, b"an entry")
        store.describe(name, desc=f"described {name}"[:200])
    sign_in(browser)
    shown = "return [...document.querySelectorAll('#rows bdi')].map(name => name.textContent)"
    until("all of them", lambda: sorted(browser.run(shown)) == sorted(map(visible, HOSTILE_NAMES)))
    browser.shot("hostile-names")
    for name in HOSTILE_NAMES:
        browser.run("document.querySelectorAll('#rows a')[arguments[0]].click()", browser.run(shown).index(visible(name)))
        until(f"the view of {name}", lambda: browser.text("#view-name") == visible(name) and browser.text("#text") == "an entry")
        expect(browser.one("#push-name").get_property("value"), name)
        browser.run("window.copied = null")
        curl = copied(browser, "#lines .line:nth-child(1) button").replace("-o entry", "-o -")
        result = subprocess.run(["bash", "-euc", curl], capture_output=True, timeout=30, cwd=browser.downloads)
        expect(result.stdout, b"an entry")
        browser.run("document.getElementById('delete').click()")
        expect(browser.text("#delete-name"), visible(name))
        browser.one("#delete-form .danger").click()
        until("deleted", lambda: name not in store.streams())
        until("gone from the table", lambda: visible(name) not in browser.run(shown))
    expect(list(browser.downloads.glob("pwned")), [])
    nothing_ran(browser)


def test_hostile_entries_are_text(browser, store):
    sign_in(browser, "#/hostile")
    until("the pull", lambda: pulling(browser) == "open")
    for i, entry in enumerate(HOSTILE_ENTRIES):
        entry_id = store.push("hostile", entry)
        until(f"entry {i}", lambda: fact(browser, "Entry id") == entry_id)
        time.sleep(0.1)
        nothing_ran(browser)
        if i == 0:
            assert '"<img src=x onerror=window.pwned=1>": ' in browser.text("#text"), browser.text("#text")
            browser.shot("hostile-json")
        if 0 < i < 5:
            expect(browser.text("#text"), entry.decode())
    drop(browser, "<img src=x onerror=window.pwned=1>.txt", "<script>window.pwned=1</script>")
    until("stored", lambda: browser.all("#stored li"))
    nothing_ran(browser)


def test_the_policy_stops_what_should_ever_slip_through(browser, store):
    sign_in(browser)
    browser.run("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.pwned=1><p onclick=x style=color:red>')")
    browser.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.pwned = 1'}))")
    time.sleep(0.5)
    expect(browser.run("return window.pwned === undefined"), True)
    assert any("Content Security Policy" in line for line in browser.complaints())


# ------------------------------------------------------------ keyboard, screen reader, phone


def test_everything_by_keyboard(browser, store):
    for name in ("alpha", "beta", "gamma"):
        store.push(name, f"first of {name}".encode())
        store.push(name, f"second of {name}".encode())
    browser.get(URL)
    until("the focus", lambda: browser.run("return document.activeElement.name") == "username")
    keys(browser, "ada", Keys.TAB, "ada", Keys.ENTER)
    until("the table", lambda: row(browser, "gamma"))
    browser.one("#create").send_keys(Keys.TAB)
    expect(focused(browser), "alpha")
    keys(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    expect(focused(browser), "beta")
    keys(browser, Keys.END)
    expect(focused(browser), "gamma")
    outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
    expect(outline, "solid")
    keys(browser, Keys.ARROW_UP, Keys.ENTER)
    until("beta", lambda: browser.text("#text") == "second of beta")
    expect(focused(browser), "stage")
    keys(browser, Keys.SPACE)
    expect(pulling(browser), "paused")
    keys(browser, Keys.ARROW_LEFT)
    until("one back", lambda: browser.text("#text") == "first of beta")
    keys(browser, Keys.ARROW_RIGHT)
    until("one on", lambda: browser.text("#text") == "second of beta")
    keys(browser, Keys.SPACE)
    until("the pull", lambda: pulling(browser) == "open")
    keys(browser, Keys.ESCAPE)
    until("the table", lambda: not browser.one("#view").is_displayed())
    expect(focused(browser), "beta")


def test_a_screen_reader_finds_a_name_for_every_control(browser, store):
    store.push("dev0", b"x")
    sign_in(browser, "#/dev0")
    until("the view", lambda: browser.text("#text") == "x")
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {}
    for node in nodes:
        if not node.get("ignored"):
            roles.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("button", "link", "textbox", "searchbox", "combobox", "region", "table", "columnheader", "rowheader", "list"):
        assert all(roles.get(role, [""])), (role, roles.get(role))
    for landmark in ("banner", "main", "navigation", "contentinfo", "status"):
        expect(len(roles.get(landmark, [])), 1)
    expect(roles["columnheader"], ["Stream", "Entries of most kept", "Entries/s", "MB/s", "Newest"])


def test_every_state_in_light_dark_and_on_a_phone(browser, store):
    for dark, phone in ((False, False), (True, False), (False, True), (True, True)):
        look = ("dark" if dark else "light") + ("-phone" if phone else "")
        for stream in store.streams():
            store.delete(stream)
        browser.get(f"{URL}/health")
        browser.delete_all_cookies()
        browser.look(dark, phone)
        every_state(browser, store, look)


def every_state(browser, store, look):
    def shot(state):
        browser.shot(f"{look}-{state}")
        wide = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        expect((look, state, wide), (look, state, 0))

    frames = pictures(browser, 30, 320, 240)
    browser.get("about:blank")
    browser.get(URL)
    until("the sign-in form", lambda: browser.one("#sign-in").is_displayed())
    shot("01-sign-in")
    sign_in(browser)
    until("the explanation", lambda: browser.one("#empty").is_displayed())
    shot("02-empty")
    fill_the_store(store, frames)
    with Feeding(store, "cam0", lambda i: frames[i % 30], 15):
        until("live", lambda: age_state(browser, "cam0") == "live")
        shot("03-table")
        open_stream(browser, "cam0")
        until("a picture", lambda: stage(browser) == "picture")
        shot("04-picture")
    for number, (stream, kind) in enumerate([("gaze", "text"), ("mic", "wave"), ("raw", "hex"), (HOSTILE_NAMES[-1], "text"), ("later", "none")], 5):
        open_stream(browser, stream)
        until(f"the {kind}", lambda: stage(browser) == kind)
        time.sleep(0.3)
        shot(f"{number:02}-{kind}-{stream[:5]}")
    open_stream(browser, "gaze")
    browser.run("document.getElementById('older').click(); document.querySelector('details').open = true; scrollTo(0, 9999)")
    until("paused", lambda: pulling(browser) == "paused")
    shot("10-paused")
    browser.run("scrollTo(0, 0); document.getElementById('describe').click()")
    until("the dialog", lambda: browser.one("#describe-dialog").is_displayed())
    shot("11-describe")
    browser.run("document.getElementById('describe-dialog').close()")


def fill_the_store(store, frames):
    store.describe("cam0", desc="Camera over the bench")
    gaze = {"time": 1795462196.0873, "left": {"x": 0.5459, "y": 0.5539}, "right": {"x": 0.51, "y": 0.48}, "valid": True, "labels": ["fixation"]}
    for stream, entry in (
        ("cam0", frames[0]), ("gaze", json.dumps(gaze).encode()), ("mic", wav(1600)), ("raw", bytes(range(256)) * 3),
        (HOSTILE_NAMES[-1], b"an entry in a stream of a long name " * 20), ("thermo", b"21.5"),
    ):
        store.push(stream, entry)


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
