// Copies what the dashboard serves out of node_modules into static/vendor/, and makes one sprite of the icons named here.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const packages = join(here, "node_modules");
const vendor = join(here, "..", "static", "vendor");

const FILES = {
  "htmx.js": "htmx.org/dist/htmx.min.js",
  "normalize.css": "modern-normalize/modern-normalize.css",
  "uplot.css": "uplot/dist/uPlot.min.css",
  "uplot.js": "uplot/dist/uPlot.iife.min.js",
};

// The names of https://lucide.dev/icons. A name that does not exist ends the build.
const ICONS = [
  "ban", "book-open", "chart-column", "check", "chevron-left", "chevron-right", "circle-check", "circle-dashed", "circle-help",
  "circle-pause", "circle-play", "circle-x", "clock", "contact-round", "copy", "download", "ellipsis", "external-link", "file-text",
  "house", "inbox", "key-round", "log-out", "megaphone", "moon", "pencil", "plus", "scroll-text", "search", "send",
  "settings", "shield-alert", "smartphone", "store", "sun", "sun-moon", "terminal", "trash-2", "triangle-alert", "undo-2",
  "upload", "user-plus", "user-round", "users", "webhook", "x",
];

function symbol(name) {
  let svg;
  try {
    svg = readFileSync(join(packages, "lucide-static", "icons", `${name}.svg`), "utf8");
  } catch {
    throw new Error(`lucide has no icon called ${name}`);
  }
  const drawing = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${drawing.replace(/\s+/g, " ").replaceAll("> <", "><").trim()}</symbol>`;
}

rmSync(vendor, { recursive: true, force: true });
mkdirSync(vendor, { recursive: true });
for (const [name, source] of Object.entries(FILES)) copyFileSync(join(packages, source), join(vendor, name));
writeFileSync(
  join(vendor, "icons.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg">${ICONS.map(symbol).join("")}</svg>\n`,
);
