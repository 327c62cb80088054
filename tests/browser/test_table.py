"""The live page beside hundreds and thousands of streams: python test_table.py URL"""
import re
import sys
import time

from selenium.webdriver.common.keys import Keys

from browser import Feeding, expect, run_tests, until
from own import OwnRedis, OwnStore
from test_live import fact, focused, keys, per_second, pictures, row, sign_in, stage

# Rows that fit on the screen, and those that are made beyond them. A test's window is 1000 pixels high.
MOST_ROWS = 40

# Elements of the page, all rows included.
MOST_ELEMENTS = 1200

MANY = 10_000


def name(number):
    return f"sensor-{number:05}"


def filled(redis, count, bytes=1):
    redis.commands(f"XADD {name(number)} * d {'x' * bytes}" for number in range(count))


def rows(browser):
    return browser.run("return [...document.querySelectorAll('#rows tr:not(.gap) bdi')].map(name => name.textContent)")


def elements(browser):
    return browser.run("return document.querySelectorAll('*').length")


def in_sight(browser):
    """The names in the list's box."""
    script = """
        const box = document.getElementById('list').getBoundingClientRect(), head = document.querySelector('thead').offsetHeight;
        const inside = row => { const at = row.getBoundingClientRect(); return at.top >= box.top + head - 1 && at.bottom <= box.bottom + 1; };
        return [...document.querySelectorAll('#rows tr:not(.gap)')].filter(inside).map(row => row.querySelector('bdi').textContent)"""
    return browser.run(script)


def scroll_to(browser, place):
    browser.run("document.getElementById('list').scrollTop = arguments[0] * 46", place)


def with_streams(count):
    def decorate(test):
        def run(browser, _):
            with OwnRedis() as redis, OwnStore(redis) as store:
                filled(redis, count)
                test(browser, redis, store)
                browser.get("about:blank")
        run.__name__ = test.__name__
        return run
    return decorate


@with_streams(MANY)
def test_of_ten_thousand_streams_only_the_rows_in_sight_are_made(browser, redis, store):
    sign_in(browser, url=store.url)
    until("the streams", lambda: browser.text("#summary").startswith("10,000 streams"))
    expect(rows(browser)[:2], [name(0), name(1)])
    expect(browser.one("#table").get_attribute("aria-rowcount"), str(MANY + 1))
    for place in (0, 5000, MANY - 1, 123):
        scroll_to(browser, place)
        wanted = name(min(place + 3, MANY - 1))
        until(f"row {place}", lambda: wanted in in_sight(browser))
        made = rows(browser)
        expect(made, sorted(made))
        assert len(made) <= MOST_ROWS, len(made)
        assert elements(browser) < MOST_ELEMENTS, elements(browser)
    browser.shot("many-streams")
    high = browser.run("return [...new Set([...document.querySelectorAll('#rows tr:not(.gap)')].map(row => row.offsetHeight))]")
    expect(high, [46])
    # Each says where it stands, for those who do not see it.
    place = browser.run("return document.querySelector('#rows tr:not(.gap)').ariaRowIndex")
    expect(int(place), int(rows(browser)[0][-5:]) + 2)


@with_streams(MANY)
def test_ten_thousand_streams_are_filtered_and_walked_through_by_keyboard(browser, redis, store):
    sign_in(browser, url=store.url)
    until("the streams", lambda: row(browser, name(0)))
    browser.one("#create").send_keys(Keys.TAB)
    expect(focused(browser), name(0))
    keys(browser, Keys.END)
    until("the last", lambda: focused(browser) == name(MANY - 1))
    keys(browser, Keys.ARROW_UP)
    until("the last but one", lambda: focused(browser) == name(MANY - 2))
    assert name(MANY - 2) in in_sight(browser)
    keys(browser, Keys.HOME)
    until("the first", lambda: focused(browser) == name(0))
    keys(browser, Keys.PAGE_DOWN)
    until("a page further", lambda: 5 < int(focused(browser)[-5:]) < MOST_ROWS)
    page = focused(browser)
    # What has the focus is not lost by scrolling away from it, nor by what is new.
    scroll_to(browser, 7000)
    until("far away", lambda: name(7003) in in_sight(browser))
    redis.command("XADD", "another", "*", "d", "x")
    until("one more", lambda: browser.text("#summary").startswith("10,001"))
    expect(focused(browser), page)
    assert len(rows(browser)) <= MOST_ROWS + 1
    keys(browser, Keys.ARROW_DOWN)
    until("the next", lambda: focused(browser) == name(int(page[-5:]) + 1))
    assert focused(browser) in in_sight(browser)
    # Whoever types finds.
    keys(browser, "0", "9", "8", "7", "6")
    expect((focused(browser), browser.one("#filter").get_property("value")), ("filter", "09876"))
    until("the one", lambda: rows(browser) == [name(9876)])
    keys(browser, Keys.ARROW_DOWN)
    expect(focused(browser), name(9876))
    keys(browser, Keys.ENTER)
    until("its view", lambda: browser.text("#view-name") == name(9876))
    keys(browser, Keys.ESCAPE)
    until("back", lambda: focused(browser) == name(9876))


@with_streams(300)
def test_a_new_overview_touches_the_rows_in_sight_and_no_others(browser, redis, store):
    sign_in(browser, url=store.url)
    until("the streams", lambda: row(browser, name(0)))
    count = """
        window.shown = [0, 0];
        const [one, all] = [showRow, showRows];
        showRow = stream => { window.shown[0] += 1; one(stream); };
        showRows = () => { window.shown[1] += 1; all(); };
        window.changed = 0;
        new MutationObserver(list => { window.changed += list.length; }).observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});"""
    browser.run(count)
    redis.commands(f"XADD {name(number)} * d x" for number in range(300))
    until("some renders", lambda: browser.run("return window.shown[1]") >= 8)
    shown, renders = browser.run("return window.shown")
    assert shown <= renders * MOST_ROWS, (shown, renders)
    # Of each row its texts and charts, with each overview; nothing for the others.
    changed = browser.run("return window.changed")
    assert changed <= renders * MOST_ROWS * 10, (changed, renders)


@with_streams(300)
def test_a_camera_beside_three_hundred_streams_is_drawn_as_fast_as_alone(browser, redis, store):
    browser.get(f"{store.url}/health")
    frames = pictures(browser, 30, 640, 480)
    sign_in(browser, "#/cam0", url=store.url)
    with Feeding(store.client, "cam0", lambda i: frames[i % 30], 30):
        until("a picture", lambda: stage(browser) == "picture")
        until("30 a second", lambda: 25 < per_second(browser, "Drawn") < 35, 20)
        assert len(rows(browser)) <= MOST_ROWS
        browser.shot("camera-beside-300")


@with_streams(MANY)
def test_pushing_suggests_a_few_of_ten_thousand_names(browser, redis, store):
    sign_in(browser, url=store.url)
    until("the streams", lambda: row(browser, name(0)))
    browser.fill("#push-name", "0123")
    offered = browser.run("return [...document.querySelectorAll('#names option')].map(option => option.value)")
    assert 0 < len(offered) <= 50 and all("0123" in one for one in offered), offered


def test_an_id_that_is_no_time_or_ahead_of_the_clock_says_so_where_its_age_is(browser, store):
    ahead = round(time.time() * 1000) + 3 * 3_600_000
    with OwnRedis() as redis, OwnStore(redis) as own:
        for stream, entry_id in (("counts", "20-0"), ("ahead", f"{ahead}-0"), ("far", f"{2 ** 64 - 1}-5"), ("now", "*")):
            redis.command("XADD", stream, entry_id, "d", "x")
        sign_in(browser, "#/counts", url=own.url)
        until("the streams", lambda: row(browser, "now"))
        expect(row(browser, "counts")[4], "no time")
        expect(row(browser, "ahead")[4], "3 h ahead")
        assert re.fullmatch(r"\d+ d ahead", row(browser, "far")[4]), row(browser, "far")
        until("the age of the entry", lambda: fact(browser, "Age") == "no time")
        assert "which is no time" in browser.one("#facts div:last-child").get_attribute("title")
        # Such streams live by when their entries came.
        redis.command("XADD", "counts", "21-0", "d", "y")
        redis.command("XADD", "ahead", f"{ahead}-1", "d", "y")
        until("alive", lambda: browser.text("#state") == "live")
        browser.shot("ahead")
        browser.get("about:blank")


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
