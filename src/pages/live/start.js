// ---------------------------------------------------------------- Keys, and what is wired to what

const isTyping = target => target.closest("input, textarea, select, dialog") !== null;
const isControl = target => target.closest("button, a, summary") !== null;

function keyDown(event) {
  if (!view.name || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "Escape") location.hash = "#/";
  else if (event.key === " " && !isControl(event.target)) view.paused ? resume() : pause();
  else if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else return;
  event.preventDefault();
}

// A tab that nobody sees costs the store nothing.
function visibilityChanged() {
  if (!document.hidden) beginToAsk();
  if (!view.name || view.paused) return;
  if (document.hidden) stopPulling();
  else follow();
}

$("sign-in-form").onsubmit = signIn;
$("sign-out").onclick = signOut;
$("filter").oninput = filterChanged;
$("filter").onkeydown = leaveFilter;
$("list").onscroll = scrolled;
$("rows").onkeydown = moveInTable;
$("push-name").oninput = $("push-name").onfocus = suggest;
$("create").onclick = () => openDescribe(null);
$("describe").onclick = () => openDescribe(view.name);
$("describe-form").onsubmit = saveDescription;
$("delete").onclick = () => {
  setText($("delete-name"), visible(view.name));
  $("delete-form").dataset.name = view.name;
  setText($("delete-error"), "");
  $("delete-dialog").showModal();
  $("keep").focus();
};
$("delete-form").onsubmit = deleteStream;
document.querySelectorAll("[data-close]").forEach(button => { button.onclick = () => button.closest("dialog").close(); });
$("pause").onclick = () => view.paused ? resume() : pause();
$("older").onclick = () => step(-1);
$("newer").onclick = () => step(1);
$("download").onclick = download;
$("show-as").onchange = event => { location.replace(hashOf(view.name, event.target.value)); };
$("more").onclick = () => { view.expanded = !view.expanded; redraw(); };
$("copy-first").onclick = event => copy(firstLines(), event.target);
$("push-form").onsubmit = pushTyped;
$("choose-files").onclick = () => $("files").click();
$("files").onchange = async event => { await pushFiles(event.target.files); event.target.value = ""; };
document.addEventListener("keydown", keyDown);
document.addEventListener("dragover", dragOver);
document.addEventListener("dragleave", event => { if (!event.relatedTarget) $("drop").hidden = true; });
document.addEventListener("drop", drop);
document.addEventListener("visibilitychange", visibilityChanged);
window.addEventListener("hashchange", route);
window.addEventListener("resize", () => {
  scrolled();
  if (["wave", "hex"].includes($("stage").dataset.kind)) redraw();
});
setInterval(show, SHOW_MS);
start();
