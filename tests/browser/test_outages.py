"""What the live page says when Redis or the store is away, full, or does not know the user any more: python test_outages.py URL"""
import re
import signal
import sys
import time
from datetime import datetime

from browser import Feeding, expect, run_tests, until
from own import OwnRedis, OwnStore, end, go_on, stop
from test_live import age_state, banner, fact, row, sign_in, type_password

# What is old looks old within so many seconds.
PROMISED = 3


def looks_old(browser):
    """Whether nothing on the page claims to be so now."""
    script = """
        const rows = [...document.querySelectorAll('#rows tr:not(.gap)')];
        const grey = rows.every(row => getComputedStyle(row).filter === 'grayscale(1)');
        const blank = rows.every(row => [...row.querySelectorAll('.rate span, .age')].every(cell => cell.textContent === '–'));
        const claims = document.querySelectorAll('[data-state=live], [data-state=late], [data-state=silent]').length;
        return grey && blank && claims === 0 && !/entries\\/s/.test(document.getElementById('summary').textContent)"""
    return browser.run(script)


def told_time(text):
    """The time that a banner names, as one of today."""
    found = re.search(r"[Ss]ince (\d\d:\d\d:\d\d)", text)
    assert found, text
    return datetime.combine(datetime.now(), datetime.strptime(found[1], "%H:%M:%S").time())


def old_in_time(browser, begun, words, when):
    """Everything looks old within the time that is promised, and one banner says what, and since when."""
    until("all looks old", lambda: looks_old(browser))
    until("the banner", lambda: words in banner(browser))
    took = time.monotonic() - begun
    # Finding out takes the driver some time.
    assert took < PROMISED + 0.5, f"{took:.1f} s: {banner(browser)}"
    print(f"# {took:.1f} s until: {banner(browser)}")
    assert abs((told_time(banner(browser)) - when).total_seconds()) < 3, (banner(browser), when)
    assert browser.one("#banner").is_displayed()


def is_well_again(browser, stream):
    until("no banner", lambda: banner(browser) == "" and not browser.one("#banner").is_displayed())
    until("the stream alive", lambda: age_state(browser, stream) == "live" and not looks_old(browser))
    until("the view alive", lambda: browser.text("#state") == "live")


def with_own_store(test):
    """A test with a Redis and a store of its own, in which an outage may be heard of on the console."""
    def run(browser, _):
        with OwnRedis() as redis, OwnStore(redis) as store:
            try:
                test(browser, redis, store)
            finally:
                browser.get("about:blank")
                browser.get_log("browser")
    run.__name__ = test.__name__
    return run


@with_own_store
def test_a_redis_that_hangs_is_told_within_three_seconds_and_recovery_comes_by_itself(browser, redis, store):
    sign_in(browser, "#/cam", url=store.url)
    with Feeding(store.client, "cam", lambda i: b"entry", 20):
        until("the stream", lambda: age_state(browser, "cam") == "live" and browser.text("#state") == "live")
        browser.shot("outage-before")
    store.client.push("cam", b"last")
    until("the last", lambda: browser.text("#text") == "last")
    begun, when = stop(redis.process), datetime.now()
    old_in_time(browser, begun, "Redis does not answer", when)
    browser.shot("outage-redis")
    assert "What is shown is of" in banner(browser)
    expect(fact(browser, "Rate"), "–")
    # A page that is opened now knows nothing of before, and says so all the same.
    browser.refresh()
    until("the banner on a fresh page", lambda: "Redis does not answer" in banner(browser))
    assert abs((told_time(banner(browser)) - when).total_seconds()) < 3, banner(browser)
    expect([browser.one(part).is_displayed() for part in ("#empty", "#no-match", "#list")], [False] * 3)
    browser.shot("outage-fresh")
    go_on(redis.process)
    until("no banner", lambda: banner(browser) == "")
    with Feeding(store.client, "cam", lambda i: b"entry", 20):
        is_well_again(browser, "cam")


@with_own_store
def test_a_store_that_hangs_or_is_gone_is_told_within_three_seconds(browser, redis, store):
    sign_in(browser, "#/cam", url=store.url)
    with Feeding(store.client, "cam", lambda i: b"entry", 20):
        is_well_again(browser, "cam")
    begun, when = stop(store.process), datetime.now()
    old_in_time(browser, begun, "The store does not answer", when)
    go_on(store.process)
    with Feeding(store.client, "cam", lambda i: b"entry", 20):
        is_well_again(browser, "cam")
    begun, when = time.monotonic(), datetime.now()
    end(store.process, signal.SIGKILL)
    old_in_time(browser, begun, "The store does not answer", when)
    browser.shot("outage-store")
    store.begin()
    with Feeding(store.client, "cam", lambda i: b"entry", 20):
        is_well_again(browser, "cam")


@with_own_store
def test_rendering_goes_on_whatever_the_poll_does(browser, redis, store):
    store.client.push("cam", b"entry")
    sign_in(browser, url=store.url)
    until("the stream", lambda: row(browser, "cam"))
    for never in ("() => new Promise(() => {})", "async () => new Response(new ReadableStream())", "async () => { throw new TypeError() }",
                  "async () => new Response('no JSON')", "async () => new Response('{}', {status: 500})"):
        until("fresh", lambda: not looks_old(browser))
        browser.run(f"window.before = window.fetch; window.fetch = {never}")
        begun = time.monotonic()
        until("all looks old", lambda: looks_old(browser) and "The store" in banner(browser))
        assert time.monotonic() - begun < PROMISED + 0.5, never
        browser.run("window.fetch = window.before")
        until("fresh again", lambda: not looks_old(browser) and banner(browser) == "")


@with_own_store
def test_polls_have_a_deadline_and_go_one_at_a_time(browser, redis, store):
    sign_in(browser, url=store.url)
    count = """
        window.before = window.fetch;
        window.open_now = window.most = window.begun = 0;
        window.fetch = async (...request) => {
          if (!String(request[0]).endsWith('/activity')) return window.before(...request);
          window.begun += 1;
          window.most = Math.max(window.most, ++window.open_now);
          try { return await window.before(...request); } finally { window.open_now -= 1; }
        }"""
    browser.run(count)
    until("polls", lambda: browser.run("return window.begun") >= 2)
    stop(store.process)
    before = browser.run("return window.begun")
    # Each is given up, and the next one begins.
    until("two more polls", lambda: browser.run("return window.begun") >= before + 2, 20)
    browser.run("for (let i = 0; i < 20; i++) { poll(); document.dispatchEvent(new Event('visibilitychange')); }")
    go_on(store.process)
    until("polls again", lambda: browser.run("return window.begun") >= before + 4)
    expect(browser.run("return window.most"), 1)


@with_own_store
def test_a_full_redis_is_shown_with_its_number_on_pages_old_and_fresh(browser, redis, store):
    store.client.push("cam", b"entry")
    sign_in(browser, url=store.url)
    until("the stream", lambda: row(browser, "cam"))
    expect(banner(browser), "")
    used = int(re.search(r"used_memory:(\d+)", redis.command("INFO", "memory"))[1])
    redis.command("CONFIG", "SET", "maxmemory", str(used // 2))
    full = r"Redis is full: [\d.]+ of [\d.]+ MiB are used \(\d{3} %\)\. It refuses pushes until there is room\. Since \d\d:\d\d:\d\d\.$"
    until("full", lambda: re.search(full, banner(browser)))
    browser.shot("outage-full")
    # What is known is fresh all the same.
    expect(looks_old(browser), False)
    browser.refresh()
    until("full on a fresh page", lambda: re.search(full, banner(browser)))
    redis.command("CONFIG", "SET", "maxmemory", str(int(used * 1.03)))
    until("nearly full", lambda: "Redis is nearly full" in banner(browser) and "%" in banner(browser))
    redis.command("CONFIG", "SET", "maxmemory", "0")
    until("room again", lambda: banner(browser) == "")


@with_own_store
def test_a_redis_that_cannot_save_is_shown_with_its_number(browser, redis, store):
    sign_in(browser, url=store.url)
    redis.command("CONFIG", "SET", "save", "3600 1000000")
    for i in range(7):
        store.client.push("cam", b"entry")
    # Where the file should be is a directory, which stops root, too.
    (redis.folder / "dump.rdb").mkdir()
    redis.command("BGSAVE")
    told = r"Redis cannot save: its last snapshot failed, and \d+ changes are in its memory only. It refuses pushes until it can save\. Since \d\d:\d\d:\d\d"
    until("not saving", lambda: re.search(told, banner(browser)))
    browser.shot("outage-not-saving")
    browser.refresh()
    until("on a fresh page", lambda: re.search(told, banner(browser)))
    browser.one("#sign-out").click()
    until("on the page to sign in", lambda: "MISCONF" in banner(browser))
    (redis.folder / "dump.rdb").rmdir()
    redis.command("BGSAVE")
    until("saved", lambda: banner(browser) == "")


@with_own_store
def test_the_page_to_sign_in_says_that_redis_does_not_answer(browser, redis, store):
    browser.get(store.url)
    until("the form", lambda: browser.one("#sign-in").is_displayed())
    time.sleep(3)
    expect(banner(browser), "")
    stop(redis.process)
    until("the banner", lambda: "Redis does not answer" in banner(browser))
    type_password(browser, "ada")
    until("the page", lambda: browser.one("#panels").is_displayed())
    until("the banner", lambda: "Redis does not answer" in banner(browser))
    go_on(redis.process)
    until("no banner", lambda: banner(browser) == "")


@with_own_store
def test_an_expired_sign_in_says_so_and_what_was_typed_is_kept(browser, redis, store):
    store.client.push("cam", b"secret entry")
    store.client.push("other", b"x")
    sign_in(browser, "#/cam", url=store.url)
    until("the entry", lambda: browser.text("#text") == "secret entry")
    browser.fill("#filter", "ca")
    browser.fill("#push-name", "notes")
    browser.fill("#push-text", "a long text\nof two lines")
    browser.one("#describe").click()
    until("the dialog", lambda: browser.one("#describe-dialog").is_displayed())
    browser.fill("#describe-form [name=desc]", "typed words")
    browser.delete_all_cookies()  # as it is when they are too old
    until("the form", lambda: browser.one("#sign-in").is_displayed())
    assert banner(browser).startswith("Your sign-in has expired"), banner(browser)
    browser.shot("outage-expired")
    # Whoever comes by sees nothing of it.
    assert not browser.one("#panels").is_displayed() and not browser.one("#describe-dialog").is_displayed()
    assert "secret entry" not in browser.page_source
    type_password(browser, "ada")
    until("the dialog again", lambda: browser.one("#describe-dialog").is_displayed())
    expect(browser.one("#describe-form [name=desc]").get_property("value"), "typed words")
    browser.one("#describe-form button.main").click()
    until("saved", lambda: store.client.ask("GET", "/streams/cam").json()["meta"]["description"] == "typed words")
    until("the entry", lambda: browser.text("#text") == "secret entry")
    values = [browser.one(f"#{field}").get_property("value") for field in ("filter", "push-name", "push-text")]
    expect(values, ["ca", "notes", "a long text\nof two lines"])
    expect(banner(browser), "")
    # By a push that comes too late, too.
    browser.delete_all_cookies()
    browser.one("#push-form button.main").click()
    until("the form", lambda: browser.one("#sign-in").is_displayed())
    type_password(browser, "ada")
    until("the page", lambda: browser.one("#panels").is_displayed())
    browser.one("#push-form button.main").click()
    until("pushed", lambda: "notes" in store.client.streams())
    expect(store.client.newest("notes")[0][1], b"a long text\nof two lines")


@with_own_store
def test_what_one_user_typed_is_not_shown_to_another(browser, redis, store):
    sign_in(browser, url=store.url)
    # By what was typed into the form, and by the cookie of a page that was opened again.
    for user, next_user, kept, again in (("ada", "bob", "", False), ("bob", "cleo", "", True), ("cleo", "cleo", "of cleo", True)):
        if again:
            browser.refresh()
            until("the page", lambda: browser.one("#panels").is_displayed())
        browser.fill("#push-text", f"of {user}")
        browser.fill("#filter", f"of {user}")
        browser.delete_all_cookies()
        until("the form", lambda: browser.one("#sign-in").is_displayed())
        type_password(browser, next_user, user=next_user)
        until("the page", lambda: browser.one("#panels").is_displayed())
        expect([browser.one(field).get_property("value") for field in ("#push-text", "#filter")], [kept, kept])


@with_own_store
def test_a_picture_that_decodes_too_late_is_not_painted_over_a_newer_entry(browser, redis, store):
    store.client.push("cam", b"newer")
    sign_in(browser, "#/cam", url=store.url)
    until("the entry", lambda: browser.text("#text") == "newer")
    stage = browser.execute_async_script("""
        const done = arguments[0], before = window.createImageBitmap;
        let decoded;
        window.createImageBitmap = () => new Promise(ready => { decoded = ready; });
        const picture = Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 0]);
        (async () => {
          const late = drawOne({ id: view.shown.id, data: picture }, "picture");
          await drawOne({ id: view.shown.id, data: new TextEncoder().encode("newest") }, "text");
          const canvas = document.createElement("canvas");
          decoded(await before(canvas));
          await late;
          window.createImageBitmap = before;
          done([document.getElementById("stage").dataset.kind, document.getElementById("text").textContent]);
        })().catch(error => done(String(error)));""")
    expect(stage, ["text", "newest"])


# ------------------------------------------------------------ as of when it is known, as a pure function

KNOWN = {"since": 0, "asOf": 10_000, "maxAge": 900, "heard": 10_000, "redis": {"state": "well"}, "refusal": None}


def judged(browser, now, **known):
    script = "const {old, banner} = judge(arguments[0], arguments[1], arguments[1]); return [old, banner && banner.what, banner?.since?.getTime() ?? null]"
    return browser.run(script, {**KNOWN, **known}, now)


def test_what_is_old_and_what_the_banner_says_follow_from_what_is_known(browser, store):
    sign_in(browser)
    away = {"state": "away", "since": "1970-01-01T00:00:07Z", "detail": "Redis cannot be reached: no answer within 1s"}
    full = {"state": "full", "since": "1970-01-01T00:00:08Z", "detail": "Redis is full"}
    unsaved = {"state": "not_saving", "since": None, "detail": "Redis cannot save", "last_save": "1970-01-01T00:00:05Z"}
    silence = [True, "The store does not answer", 10_000]
    for now, known, expected in (
        (10_000, {}, [False, None, None]),
        (12_500, {}, [False, None, None]),
        (12_501, {}, silence),
        # It answers, but with what it knew before.
        (12_501, {"heard": 12_400}, [True, "Redis does not answer", 10_000]),
        (12_501, {"heard": 12_400, "refusal": "Too many requests."}, [True, "Too many requests.", 10_000]),
        # Of ten thousand streams an overview is made more seldom.
        (14_000, {"heard": 13_900, "maxAge": 4000}, [False, None, None]),
        (15_601, {"heard": 15_600, "maxAge": 4000}, [True, "Redis does not answer", 10_000]),
        # It knows why, so that nobody has to wait.
        (10_100, {"redis": away}, [True, "Redis does not answer", 7000]),
        (10_100, {"redis": full}, [False, "Redis is full", 8000]),
        (10_100, {"redis": unsaved}, [False, "Redis cannot save", 5000]),
        # A fresh page.
        (2_000, {"asOf": None, "heard": None, "redis": None}, [True, None, None]),
        (2_501, {"asOf": None, "heard": None, "redis": None}, [True, "The store does not answer", None]),
        (2_501, {"asOf": None, "heard": 2_400, "redis": away}, [True, "Redis does not answer", 7000]),
        (2_501, {"asOf": None, "heard": 2_400, "redis": None, "refusal": "Busy."}, [True, "Busy.", None]),
        # Somebody comes back to a tab that asked for nothing meanwhile: old, but nobody's fault.
        (60_000, {"since": 59_000}, [True, None, None]),
        (61_501, {"since": 59_000}, silence),
    ):
        expect((now, known, judged(browser, now, **known)), (now, known, expected))


def test_a_banner_is_sentences(browser, store):
    sign_in(browser)
    script = "return bannerText({old: arguments[1], banner: {...arguments[0], since: arguments[2] && new Date(arguments[2])}}, new Date('2026-11-28T12:03:04'))"
    for banner, old, since, text in (
        ({"what": "The store does not answer", "why": ""}, True, "2026-11-28T12:03:04",
         "The store does not answer since 2026-11-28 12:03:04. What is shown is of 2026-11-28 12:03:04."),
        ({"what": "Redis does not answer", "why": "no answer within 1s"}, False, "2026-11-28T12:03:04",
         "Redis does not answer since 2026-11-28 12:03:04 (no answer within 1s)."),
        ({"what": "Redis is full: all of it. It refuses.", "why": ""}, False, "2026-11-28T12:03:04",
         "Redis is full: all of it. It refuses. Since 2026-11-28 12:03:04."),
        ({"what": "Redis is nearly full.", "why": ""}, False, None, "Redis is nearly full."),
        ({"what": "The store does not answer", "why": ""}, False, None, "The store does not answer."),
    ):
        told = browser.run(script, banner, old, since)
        # Today's times have no date.
        today = f"{datetime.now():%Y-%m-%d} "
        expect(told, text.replace(today, ""))


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
