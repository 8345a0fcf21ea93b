// The outbox with a script: the claim's text goes to the clipboard, keys work, the time to undo runs, taps do not fall through.
"use strict";

(() => {
  // A double tap must not fall onto the button of the card that comes next.
  const SETTLES_MS = 400;
  let arrived = null; // told once the claimed card is there

  // Some browsers let a page write to the clipboard only while they handle the tap: the text is promised then.
  function promiseCopy(event) {
    if (!event.target.matches("[data-copies]") || !navigator.clipboard || typeof ClipboardItem === "undefined") return;
    const text = new Promise((resolve, reject) => { arrived = { resolve, reject }; });
    navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]).then(() => copied(true), () => copied(false));
  }

  function copied(done) {
    const said = document.querySelector("[data-copy-now] [data-said]");
    if (said) said.textContent = done ? "Copied. Copy again" : "Copy the text";
  }

  function settled() {
    const desk = document.getElementById("desk");
    if (!desk) return;
    desk.inert = true;
    setTimeout(() => { desk.inert = false; desk.querySelector("#handle")?.focus({ preventScroll: true }); }, SETTLES_MS);
    const button = desk.querySelector("[data-copy-now]");
    if (arrived && button) arrived.resolve(new Blob([button.dataset.copy], { type: "text/plain" }));
    else if (arrived) arrived.reject(new Error("no text came"));
    arrived = null;
    countdown(desk);
  }

  function countdown(desk) {
    const bar = desk.querySelector("[data-undo]");
    if (!bar) return;
    const ends = Date.now() + 1000 * Number(bar.dataset.undo);
    const tick = setInterval(() => {
      const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
      if (!bar.isConnected) clearInterval(tick);
      else if (left === 0) { clearInterval(tick); bar.remove(); }
      else {
        bar.querySelector("progress").value = left;
        bar.querySelector("[data-left]").textContent = left;
      }
    }, 500);
  }

  function keys(event) {
    const at = document.activeElement;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || at.matches("input, textarea, select")) return;
    const desk = document.getElementById("desk");
    if (!desk || desk.inert) return;
    const wanted = [...desk.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)];
    const shown = wanted.find((each) => each.offsetParent !== null);
    if (shown) { event.preventDefault(); shown.click(); }
  }

  document.addEventListener("submit", promiseCopy, true);
  document.addEventListener("htmx:afterSwap", (event) => { if (event.detail.requestConfig?.verb === "post") settled(); else countdown(document.getElementById("desk")); });
  document.addEventListener("htmx:sendError", () => { arrived?.reject(new Error("no answer")); arrived = null; });
  document.addEventListener("keydown", keys);
  const desk = document.getElementById("desk");
  if (desk) countdown(desk);
})();
