// @ts-check
/**
 * Says what has changed in a worker's day since they took note of it: what is new, what is gone, what begins at another time.
 * The page marks what is still to come with `data-stop`, and `data-at`, `data-hour`, `data-what` and `data-where` of it; what is begun or done has
 * `data-stop` alone. What was noted stays on the phone, for that day only.
 */
const KEY = "yinling-route";
/** @typedef {{ at: number, hour: string, what: string, where: string }} Stop */
/** @typedef {{ day: string, stops: Record<string, Stop> }} Noted */

const strip = /** @type {HTMLElement | null} */ (document.querySelector("[data-route]"));
const shown = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-stop]")]);

/** @returns {Noted} */
function now() {
  const day = strip?.dataset.day ?? "", coming = shown().filter((one) => one.dataset.at);
  const stops = coming.map((one) => [one.dataset.stop, { at: Date.parse(one.dataset.at ?? ""), hour: one.dataset.hour, what: one.dataset.what, where: one.dataset.where }]);
  return { day, stops: Object.fromEntries(stops) };
}

/** @returns {Noted | null} */
function noted() {
  const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
  return kept?.day === strip?.dataset.day ? kept : null;
}

const note = () => localStorage.setItem(KEY, JSON.stringify(now()));

/** @param {string} words @param {Stop} stop @param {Stop} [before] @returns {[string, string]} */
const told = (words, stop, before) => [words.replace("{at}", stop.hour).replace("{what}", stop.what).replace("{was}", before?.hour ?? ""), stop.where];

/** @param {[string, string]} line what has changed, and the part of the city, which has its name in 中文 on every page */
function item([words, where]) {
  const line = document.createElement("li"), place = document.createElement("span");
  place.lang = "zh-CN";
  place.textContent = where;
  line.append(words, place);
  return line;
}

function compare() {
  if (!strip) return;
  const before = noted();
  if (!before) { note(); return; }
  const { stops } = now(), there = new Set(shown().map((one) => one.dataset.stop)), least = Number(strip.dataset.least) * 1000;
  const { added = "", gone = "", moved = "" } = strip.dataset;
  const lines = /** @type {[string, string][]} */ ([]);
  for (const [id, stop] of Object.entries(stops)) {
    const was = before.stops[id];
    if (!was) lines.push(told(added, stop));
    else if (Math.abs(was.at - stop.at) >= least) lines.push(told(moved, stop, was));
  }
  for (const [id, was] of Object.entries(before.stops)) if (!there.has(id)) lines.push(told(gone, was));
  strip.hidden = lines.length === 0;
  const list = strip.querySelector("ul"), text = String(lines);
  if (!list || list.dataset.told === text) return;
  list.dataset.told = text; // told once: a reader of the screen hears a change when it comes, not at every look
  list.replaceChildren(...lines.map(item));
}

strip?.querySelector("button")?.addEventListener("click", () => { note(); compare(); });
document.addEventListener("fetched", compare);
compare();
