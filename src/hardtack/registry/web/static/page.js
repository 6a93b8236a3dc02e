// Copy buttons: there without a script the command is still text that can be selected.
"use strict";
const copy = async (text) => {
  if (navigator.clipboard) {
    try { return await navigator.clipboard.writeText(text), true; } catch { /* the older way may still work */ }
  }
  const field = document.createElement("textarea"); // without TLS browsers offer only this
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  return done;
};
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.textContent = await copy(button.dataset.copy) ? "Copied" : "Select it by hand";
    button.focus();
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
// "/" goes to the search field, as people expect it.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLElement && event.target.closest("input, textarea, select")) return;
  const field = document.getElementById("q");
  if (field) { event.preventDefault(); field.focus(); field.select(); }
});
