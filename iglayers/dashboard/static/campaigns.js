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

// A file that is dropped or chosen is checked at once.
function takeDrops(zone) {
  const input = zone.querySelector("input");
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("is-over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("is-over");
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
  });
  input.addEventListener("change", () => { if (input.files.length) input.form.requestSubmit(); });
}

// What takes a while to send says how far it is. The answer is a page, as without a script.
const LONG_BYTES = 1 << 20;

function sendWithProgress(event) {
  const form = event.target;
  const input = form.querySelector("input[type=file]");
  const file = input.files[0];
  if (!file || file.size < LONG_BYTES) return;
  event.preventDefault();
  const place = form.querySelector("[data-sending]");
  const [bar, words] = place.children;
  place.hidden = false;
  if (file.size > Number(input.dataset.most)) {
    bar.hidden = true;
    words.textContent = `${megabytes(file.size)} are too many; a file may have ${megabytes(input.dataset.most)}. Split it.`;
    input.value = "";
    return;
  }
  bar.hidden = false;
  const data = new FormData(form, event.submitter);
  data.set("step", "check");
  const sent = new XMLHttpRequest();
  sent.upload.addEventListener("progress", (at) => {
    bar.value = at.loaded / at.total;
    words.textContent = `${megabytes(at.loaded)} of ${megabytes(at.total)}`;
  });
  sent.addEventListener("load", () => {
    if (new URL(sent.responseURL).pathname !== new URL(form.action).pathname) window.location = sent.responseURL;
    else putSection(sent.responseText);
  });
  const hold = (isHeld) => { for (const each of form.elements) each.disabled = isHeld; };
  sent.addEventListener("error", () => { words.textContent = "The file did not get through. Try again."; hold(false); });
  sent.open("POST", form.action);
  sent.send(data);
  hold(true);
}

function megabytes(bytes) { return `${(bytes / 2 ** 20).toFixed(1)} MB`; }

// The step of the page that came back: a verdict, or what is wrong with the file.
function putSection(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const id of ["people", "go"]) document.getElementById(id)?.replaceWith(page.getElementById(id) ?? "");
  uploads();
}

function uploads() {
  for (const form of document.querySelectorAll("form[data-upload]")) form.addEventListener("submit", sendWithProgress);
  for (const zone of document.querySelectorAll("[data-drop]")) takeDrops(zone);
}
uploads();
