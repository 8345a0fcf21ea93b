// Small comforts on pages that work without any of them: local times, keys on tables, copying, charts, menus that close.
"use strict";

document.documentElement.classList.add("has-script");

function localTimes(root) {
  // Of this year without its year; the whole stands in the title.
  const near = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const thisYear = new Date().getFullYear();
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    element.title = element.title || `${full.format(moment)} (${element.textContent.trim()})`;
    if (element.dataset.style === "date") element.textContent = day.format(moment);
    else if (element.dataset.style === "clock" && moment.toDateString() === new Date().toDateString()) element.textContent = clock.format(moment);
    else if (element.dataset.style === "ago") element.textContent = ago(moment);
    else element.textContent = (moment.getFullYear() === thisYear ? near : full).format(moment);
  }
}

function ago(moment) {
  const seconds = (moment - Date.now()) / 1000;
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return words.format(Math.round(seconds / size), unit);
  }
  return words.format(0, "minute");
}

function copying(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const said = button.querySelector("[data-said]");
  const before = said.dataset.before || (said.dataset.before = said.textContent);
  copyText(button).then(
    () => { said.textContent = "Copied"; },
    () => { said.textContent = "Mark and copy it"; },
  ).finally(() => setTimeout(() => { said.textContent = before; }, 2000));
}

// The clipboard is there on https and localhost only.
function copyText(button) {
  if (navigator.clipboard) return navigator.clipboard.writeText(button.dataset.copy);
  const area = document.createElement("textarea");
  area.value = button.dataset.copy;
  button.after(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  button.focus();
  return done ? Promise.resolve() : Promise.reject(new Error("not copied"));
}

// j and k walk the rows, Enter opens one (it is a link), / goes to the search.
function keys(event) {
  const at = document.activeElement;
  if (event.key === "Escape") closeMenus(null);
  if (event.ctrlKey || event.metaKey || event.altKey || at.matches("input, textarea, select, [contenteditable]")) return;
  if (event.key === "/") {
    const search = document.querySelector("input[type=search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  }
  if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll(".row-link")];
    const next = links.indexOf(at) + (event.key === "j" ? 1 : -1);
    const link = links[Math.max(0, Math.min(links.length - 1, next))];
    if (link) { link.focus(); link.scrollIntoView({ block: "nearest" }); }
  }
}

function closeMenus(inside) {
  for (const menu of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
    if (!inside || !menu.contains(inside)) menu.open = false;
  }
}

// ── charts ──────────────────────────────────────────────────────────────────────────────────────────────────

const drawn = new Map();

function draw(place) {
  const { labels, kinds, numbers } = JSON.parse(place.dataset.chart);
  const swatches = place.closest(".chart").querySelectorAll(".swatch");
  const colour = (at) => getComputedStyle(swatches[at]).backgroundColor;
  const text = getComputedStyle(place).color;
  const line = getComputedStyle(place.closest(".card") || document.body).borderTopColor;
  const days = labels.map((label) => label.includes("T") ? label.slice(-5) : new Date(`${label}T00:00:00`).toLocaleDateString(undefined, { day: "numeric", month: "short" }));
  const series = kinds.map((kind, at) => ({
    stroke: colour(at),
    fill: kind === "bars" ? colour(at) : undefined,
    width: kind === "bars" ? 0 : 2,
    dash: kind === "dashed" ? [6, 4] : undefined,
    paths: kind === "bars" ? uPlot.paths.bars({ size: [0.7, 32], radius: 0.1 }) : undefined,
    points: { show: false },
  }));
  const axis = { stroke: text, font: "12px system-ui, sans-serif", ticks: { show: false } };
  const options = {
    width: place.clientWidth,
    height: place.clientHeight,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: (_, low, high) => [0, Math.max(4, high * 1.1)] } },
    axes: [
      { ...axis, size: 28, grid: { show: false }, space: 56, incrs: [1, 2, 5, 7, 10, 14, 30], values: (_, at) => at.map((each) => days[each] || "") },
      { ...axis, size: 44, grid: { stroke: line, width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000] },
    ],
    series: [{}, ...series],
  };
  drawn.get(place)?.destroy();
  drawn.set(place, new uPlot(options, [labels.map((_, at) => at), ...numbers], place));
}

function charts(root) {
  if (typeof uPlot === "undefined") return;
  for (const place of root.querySelectorAll("[data-chart]")) {
    draw(place);
    new ResizeObserver(() => drawn.get(place)?.setSize({ width: place.clientWidth, height: place.clientHeight })).observe(place);
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((_, place) => draw(place)));
document.addEventListener("click", (event) => { copying(event); closeMenus(event.target); });
document.addEventListener("keydown", keys);
document.addEventListener("htmx:afterSettle", (event) => { localTimes(event.target); charts(event.target); });
localTimes(document);
charts(document);
