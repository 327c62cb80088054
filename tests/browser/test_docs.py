"""The documentation in a browser: python test_docs.py URL"""
import sys

from selenium.webdriver.common.keys import Keys

from browser import URL, expect, run_tests, until


def test_swagger_ui_signs_in_and_runs_a_request(browser, store):
    store.push("dev0", b"entry")
    browser.get(f"{URL}/docs")
    until("the routes", lambda: browser.all(".opblock"))
    browser.shot("docs")
    sign_in(browser, "ada", "ada")

    block = until("GET /streams/", lambda: operation(browser, "GET", "/streams/"))
    block.find_element("css selector", ".opblock-summary-control, .opblock-summary").click()
    until("Try it out", lambda: press(browser, block, ".try-out__btn"))
    until("Execute", lambda: press(browser, block, ".execute"))
    status = until("a response", lambda: block.find_elements("css selector", ".live-responses-table tbody .response-col_status"))
    browser.shot("docs-executed")
    expect(status[0].text.split()[0], "200")
    body = block.find_element("css selector", ".live-responses-table .highlight-code, .live-responses-table pre").text
    assert "dev0" in body, body


def test_two_entries_of_a_form_are_stored_as_two(browser, store):
    browser.get(f"{URL}/docs")
    until("the routes", lambda: browser.all(".opblock"))
    sign_in(browser, "ada", "ada")
    block = until("POST /data/{stream_id}", lambda: operation(browser, "POST", "/data/{stream_id}"))
    block.find_element("css selector", ".opblock-summary-control, .opblock-summary").click()
    until("Try it out", lambda: press(browser, block, ".try-out__btn"))
    kinds = until("the types of body", lambda: block.find_elements("css selector", ".opblock-section-request-body select option"))
    next(kind for kind in kinds if kind.text == "multipart/form-data").click()
    until("a field", lambda: len(block.find_elements("css selector", ".json-schema-form-item input")) == 1)
    until("the button", lambda: press(browser, block, ".json-schema-form-item-add"))
    until("another field", lambda: len(block.find_elements("css selector", ".json-schema-form-item input")) == 2)
    entries = ["one, with a comma", "two"]
    for field, text in zip(block.find_elements("css selector", ".json-schema-form-item input"), entries):
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text)
    until("Execute", lambda: press(browser, block, ".execute"))
    status = until("a response", lambda: block.find_elements("css selector", ".live-responses-table tbody .response-col_status"))
    browser.shot("docs-form")
    expect(status[0].text.split()[0], "200")
    expect([entry for _, entry in store.newest("cam0", count=9)], [entry.encode() for entry in entries])


def test_every_operation_works_as_it_is_delivered(browser, store):
    store.delete("cam0")
    browser.get(f"{URL}/docs")
    until("the routes", lambda: browser.all(".opblock"))
    sign_in(browser, "ada", "ada")
    blocks = [(method, path) for method, path in map(name_of, browser.all(".opblock"))]
    statuses = {}
    for method, path in blocks:
        if method == "PUT":
            store.delete("cam0")
        else:
            store.push("cam0", b"\xff\xd8\xff a picture")
        block = operation(browser, method, path)
        block.find_element("css selector", ".opblock-summary-control, .opblock-summary").click()
        until(f"Try it out of {method} {path}", lambda: press(browser, block, ".try-out__btn"))
        # A file must be chosen by hand.
        for chooser in block.find_elements("css selector", "input[type=file]"):
            chooser.send_keys(__file__)
        until("Execute", lambda: press(browser, block, ".execute"))
        statuses[f"{method} {path}"] = response(block)
    # A browser follows a redirect by itself. Plain requests open no WebSocket, and are told so.
    expected = {name: "400" if name.endswith(("/push", "/pull")) else "200" for name in statuses}
    expect(statuses, expected)
    assert len(statuses) > 20, statuses
    expect_refusals_only(browser)


def test_put_as_it_is_delivered_leaves_a_description_alone(browser, store):
    store.describe("cam0", desc="front", max_len=7, meta='{"fps":30}')
    before = store.ask("GET", "/streams/cam0").json()["meta"]
    browser.get(f"{URL}/docs")
    until("the routes", lambda: browser.all(".opblock"))
    sign_in(browser, "ada", "ada")
    block = operation(browser, "PUT", "/streams/{stream_id}")
    block.find_element("css selector", ".opblock-summary-control, .opblock-summary").click()
    until("Try it out", lambda: press(browser, block, ".try-out__btn"))
    until("Execute", lambda: press(browser, block, ".execute"))
    expect(response(block), "400")
    expect(store.ask("GET", "/streams/cam0").json()["meta"], before)
    # Somebody who overrides, and says nothing else.
    row = block.find_element("css selector", "tr[data-param-name=override]")
    field = row.find_element("css selector", "select, input")
    if field.tag_name == "select":
        next(option for option in field.find_elements("css selector", "option") if option.text == "true").click()
    else:
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys("true")
    until("Execute", lambda: press(browser, block, ".execute"))
    until("200", lambda: response(block) == "200")
    expect(store.ask("GET", "/streams/cam0").json()["meta"], before)
    expect_refusals_only(browser)


def test_no_other_host_is_asked(browser, store):
    browser.get(f"{URL}/docs")
    until("the routes", lambda: browser.all(".opblock"))
    addresses = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    expect([address for address in addresses if not address.startswith((URL, "data:", "blob:"))], [])


# The console tells of each 400, also of one that is shown on the page.
def expect_refusals_only(browser):
    expect([line for line in browser.complaints() if "400 (Bad Request)" not in line], [])


def sign_in(browser, user, password):
    browser.one(".auth-wrapper .authorize").click()
    form = until("the form of the password flow", lambda: password_form(browser))
    form.find_element("css selector", "input[id*=username], input[name=username]").send_keys(user)
    form.find_element("css selector", "input[type=password]").send_keys(password)
    form.find_element("css selector", "button.authorize").click()
    until("signed in", lambda: any("Logout" in button.text for button in browser.all(".modal-ux button")))
    browser.shot("docs-authorised")
    browser.one(".modal-ux .btn-done, .modal-ux .close-modal").click()


# Among the schemes that the dialog offers, the one that asks for a user name and a password.
def password_form(browser):
    for box in browser.all(".modal-ux .auth-container"):
        if box.find_elements("css selector", "input[type=password]"):
            return box
    return None


def operation(browser, method, path):
    return next((block for block in browser.all(".opblock") if name_of(block) == (method, path)), None)


def name_of(block):
    found = (block.find_element("css selector", f".opblock-summary-{part}").text for part in ("method", "path"))
    return tuple(text.replace("\u200b", "") for text in found)


# The status that an executed operation shows.
def response(block):
    status = until("a response", lambda: block.find_elements("css selector", ".live-responses-table tbody .response-col_status"))
    return status[0].text.split()[0]


def press(browser, block, selector):
    buttons = block.find_elements("css selector", selector)
    if buttons:
        browser.run("arguments[0].scrollIntoView({block: 'center'})", buttons[0])
        buttons[0].click()
    return bool(buttons)


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
