// ---------------------------------------------------------------- Signing in and out

// The token stays in memory, for the lines to copy; requests are let in by the cookie, which no script can read.
// The CSRF token tells the store behind a proxy that a WebSocket is opened by this page; see csrf.rs.
const session = {
  open: false, known: false,       // whether we ask as somebody, and whether that was right once
  expired: false, number: 0,       // how many there were: replies to an earlier one are dropped
  user: null,                      // whose what is typed is; unknown until somebody signs in or the store tells
  token: null, csrf: "",
  dialog: null,                    // what was open when the last one expired
};

async function signIn(event) {
  event.preventDefault();
  const form = event.target;
  const user = form.elements.username.value;
  $("sign-in-error").textContent = "";
  try {
    const reply = await ask("POST", "/token", { body: new URLSearchParams(new FormData(form)) });
    session.token = (await reply.json()).access_token;
  } catch (error) {
    $("sign-in-error").textContent = error.message;
    return form.elements.password.select();
  }
  form.reset();
  // What one user typed is not for another, nor what somebody typed of whom we know nothing.
  if (session.user !== user) forgetTyped();
  session.user = user;
  await start();
}

async function signOut() {
  try {
    await ask("POST", "/signout");
    endSession({ expired: false });
    say("Signed out.");
  } catch (error) {
    say(error.message, true);
  }
}

// Whoever comes next must not see what the last user saw. What somebody typed whose sign-in expired waits for him, out of sight.
function endSession({ expired }) {
  const typed = $("push-name").value;
  Object.assign(session, { open: false, known: false, token: null, expired, number: session.number + 1 });
  leave();
  forgetAll();
  replaceLines([]);
  placed = "";
  $("stored").replaceChildren();
  $("names").replaceChildren();
  const dialog = document.querySelector("dialog[open]");
  dialog?.close();
  if (expired) {
    session.dialog = dialog ?? session.dialog;
    $("push-name").value = typed;
  } else {
    session.user = null;
    forgetTyped();
  }
  say("");
  showHouse(false);
  show();
  $("sign-in-form").elements.username.focus();
}

function forgetTyped() {
  waiting = [];
  session.dialog = null;
  ["push-form", "describe-form"].forEach(form => $(form).reset());
  $("push-note").textContent = $("filter").value = "";
}

function showHouse(open) {
  $("sign-in").hidden = open;
  $("panels").hidden = $("sign-out").hidden = !open;
  if (!open) setText($("summary"), "");
}

async function start() {
  const typed = session.expired ? $("push-name").value : "";
  Object.assign(session, { open: true, expired: false, number: session.number + 1 });
  await polling;
  forgetAll();
  await poll();
  if (!session.open) return;
  showHouse(true);
  show();
  route();
  if (typed) $("push-name").value = typed;
  session.dialog?.showModal();
  session.dialog = null;
}
