// The page of a campaign in place: parts that the server sends are put over those that changed.
"use strict";

function putParts(text) {
  const sent = document.createElement("template");
  sent.innerHTML = text;
  for (const part of sent.content.querySelectorAll(".campaign-part, [id^=live-], #table")) {
    const here = document.getElementById(part.id);
    // Not under somebody's hands: an open question stays, and the row that has the focus.
    if (!here || here.querySelector("details[open]") || here.contains(document.activeElement)) continue;
    localTimes(part);
    if (here.innerHTML !== part.innerHTML) here.replaceWith(part);
  }
  if (window.htmx) htmx.process(document.querySelector("[data-live]"));
}

function follow(place) {
  const source = new EventSource(place.dataset.live);
  source.addEventListener("open", () => place.classList.remove("is-stale"));
  source.addEventListener("parts", (event) => putParts(event.data));
  source.addEventListener("error", () => {
    place.classList.add("is-stale");
    // A browser comes again by itself, but not after a refusal, such as one of a server that begins.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(place), 5000);
  });
  window.addEventListener("pagehide", () => source.close(), { once: true });
}

const followed = document.querySelector("[data-live]");
if (followed) follow(followed);

// A file that is dropped is chosen and checked at once.
for (const zone of document.querySelectorAll("[data-drop]")) {
  const input = zone.querySelector("input");
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("is-over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
  });
  input.addEventListener("change", () => { if (input.files.length) input.form.requestSubmit(); });
}
