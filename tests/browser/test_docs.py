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


def test_no_other_host_is_asked(browser, store):
    browser.get(f"{URL}/docs")
    until("the routes", lambda: browser.all(".opblock"))
    addresses = browser.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    expect([address for address in addresses if not address.startswith((URL, "data:", "blob:"))], [])


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
    for block in browser.all(".opblock"):
        found = [block.find_element("css selector", f".opblock-summary-{part}").text for part in ("method", "path")]
        if [text.replace("\u200b", "") for text in found] == [method, path]:
            return block
    return None


def press(browser, block, selector):
    buttons = block.find_elements("css selector", selector)
    if buttons:
        browser.run("arguments[0].scrollIntoView({block: 'center'})", buttons[0])
        buttons[0].click()
    return bool(buttons)


if __name__ == "__main__":
    run_tests(sys.modules[__name__])
