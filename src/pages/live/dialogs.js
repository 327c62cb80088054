// ---------------------------------------------------------------- Describing and deleting

async function openDescribe(name) {
  const form = $("describe-form");
  form.reset();
  form.dataset.override = String(name !== null);
  form.dataset.meta = "";
  form.elements.id.readOnly = name !== null;
  setText($("describe-title"), name === null ? "New stream" : "Describe stream");
  setText($("describe-error"), "");
  try {
    if (name !== null) await fillDescribe(form, name);
    $("describe-dialog").showModal();
    form.elements[name === null ? "id" : "desc"].focus();
  } catch (error) {
    say(error.message, true);
  }
}

async function fillDescribe(form, name) {
  const fields = form.elements;
  const { meta } = await (await ask("GET", pathOf("streams", name))).json();
  fields.id.value = name;
  fields.desc.value = meta.description ?? "";
  fields.max_len.value = meta.max_len ?? "";
  fields.meta.value = Object.keys(meta.metadata ?? {}).length ? JSON.stringify(meta.metadata, null, 2) : "";
  form.dataset.meta = fields.meta.value;
}

async function saveDescription(event) {
  event.preventDefault();
  const form = event.target;
  const { id, desc, max_len } = Object.fromEntries(new FormData(form));
  const meta = form.elements.meta.value;
  // An empty field is the default again. Metadata that nobody touched is not sent and stays: numbers here have fewer digits.
  const fields = { desc, max_len, override: form.dataset.override };
  if (meta !== form.dataset.meta) fields.meta = meta.trim() || "{}";
  await submitDialog("describe", async () => {
    await ask("PUT", pathOf("streams", id, `?${new URLSearchParams(fields)}`));
    location.hash = hashOf(id);
    return `Saved the description of ${id}.`;
  });
}

async function deleteStream(event) {
  event.preventDefault();
  const { name } = event.target.dataset;
  await submitDialog("delete", async () => {
    await ask("DELETE", pathOf("streams", name));
    location.hash = "#/";
    return `Deleted ${name}.`;
  });
}

// Errors stay in the dialog, beside what has to be mended.
async function submitDialog(which, action) {
  setText($(`${which}-error`), "");
  try {
    const done = await action();
    $(`${which}-dialog`).close();
    say(done);
    poll();
  } catch (error) {
    setText($(`${which}-error`), error.message);
  }
}

