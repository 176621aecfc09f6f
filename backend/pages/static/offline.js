// @ts-check
/**
 * What a worker presses is kept on the phone with the time of the press, and sent as soon as there is a network: once, in order,
 * for up to 72 hours. Position is asked when it helps and never waited for long; without one the report goes all the same.
 */
import { ask, isOff } from "./asking.js";
import { isThere, position } from "./position.js";
import { now, stored, waiting } from "./reports.js";

const ANYWHERE = new Set(["en-route", "pre-check", "handed-word"]);
const KEPT_MS = 72 * 3600 * 1000, LATE_MS = 30000, TRY_MS = 15000;
/** @typedef {import("./reports.js").Report} Report */

document.addEventListener("submit", async (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.dataset.step) return;
  event.preventDefault();
  if (form.dataset.pressed) return;
  form.dataset.pressed = "1";
  const at = now().toISOString(), { step = "", order = "" } = form.dataset;
  const pressed = /** @type {HTMLButtonElement | null} */ (event.submitter), typed = /** @type {HTMLInputElement | null} */ (form.querySelector("[name=door_code]"));
  const answers = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[data-answer]")]).filter((field) => field.type !== "radio" || field.checked)
    .map((field) => field.type === "radio" ? { check: field.name, choice: field.value } : { check: field.name, number: Number(field.value) });
  const typedIn = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[data-said]")]).filter((field) => field.type !== "radio" || field.checked).map((field) => [field.name, field.value]);
  const said = { ...Object.fromEntries(typedIn), ...(answers.length ? { answers } : {}), ...(pressed?.name ? { [pressed.name]: pressed.value === "true" || pressed.value } : {}), ...(typed ? { door_code: typed.value } : {}) };
  const key = crypto.randomUUID(), report = { key, url: `/v1/orders/${order}/${step}`, step, order, at, pressed: Date.now(), outside: form.dataset.outside, body: { device_at: at, ...said } };
  if (!ANYWHERE.has(step)) locating.add(key);
  await stored("readwrite", (store) => store.put(report));
  if (report.outside) delete form.dataset.pressed; // to be measured again
  await show();
  if (locating.has(key)) {
    const ends = step === "check-out" && isOff(form.dataset, at) ? ask("[data-end-why]", "end_reason") : {};
    const here = await position();
    Object.assign(report.body, here, await ends);
    if (step === "check-in" && !typed && !isThere(here, form.dataset)) Object.assign(report.body, await ask("[data-why]", "position_reason"));
    await stored("readwrite", (store) => store.put(report));
    locating.delete(key);
  }
  await send();
  if (form.dataset.then) location.assign(form.dataset.then);
});

/** Reports of this page that still wait for a position: sent before it is there, one would be sent twice with different words. */
const locating = new Set();
/** What was sent, and when: until the page is fetched anew its buttons do not know, and a step may not stand there a second time. */
const taken = new Map();
/** @type {Promise<void>} */
let queue = Promise.resolve();
/** Whoever asks while others are being sent is served after them, not at the next try. */
const send = () => (queue = queue.then(sendAll));

async function sendAll() {
  let sent = 0;
  try {
    for (const report of (await waiting()).filter((one) => !one.refused)) {
      if (locating.has(report.key)) break;
      const age = Date.now() - report.pressed;
      if (age > KEPT_MS) { await keep(report, "72h"); continue; }
      const body = JSON.stringify(age > LATE_MS ? { ...report.body, offline: true } : report.body);
      const headers = { "Content-Type": "application/json", "Idempotency-Key": report.key };
      const answer = await fetch(report.url, { method: "POST", headers, body });
      const code = answer.ok ? "" : (await answer.json().catch(() => ({}))).code ?? String(answer.status);
      if (unheard(answer.status, code)) break;
      // A key that was used for other words: the first try arrived, its answer did not, and since then the report says `offline`.
      if (code === "lines_missing") { await stored("readwrite", (store) => store.delete(report.key)); sent += 1; continue; } // a mate took a line back
      if (answer.ok || code === "idempotency_key_reused") { if (!report.outside) taken.set(`${report.order} ${report.step}`, Date.now()); await stored("readwrite", (store) => store.delete(report.key)); sent += 1; } else await keep(report, code);
    }
  } catch { /* no network: what was pressed waits, and the strip says so */ }
  await show();
  if (sent) document.querySelector("live-region")?.dispatchEvent(new Event("look"));
}

/** Nobody has judged the report yet: it waits, also for whoever has to sign in again. @param {number} status @param {string} code */
const unheard = (status, code) => status === 401 || status === 429 || status >= 500 || code === "request_in_progress";

/** @param {Report} report @param {string} why */
const keep = (report, why) => stored("readwrite", (store) => store.put({ ...report, refused: why }));

/** Say what waits, and let the next step stand where the last one was pressed. */
async function show() {
  const reports = await waiting(), open = reports.filter((one) => !one.refused);
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-step]"))) {
    const mine = reports.filter((one) => one.order === form.dataset.order);
    const isTaken = (/** @type {HTMLFormElement} */ one) => taken.has(`${one.dataset.order} ${one.dataset.step}`) || mine.some((report) => report.step === one.dataset.step && !report.outside);
    const steps = /** @type {HTMLFormElement[]} */ ([...document.querySelectorAll(`form[data-order="${form.dataset.order}"][data-step]:not([data-aside])`)]);
    steps.sort((a, b) => Number(a.dataset.turn) - Number(b.dataset.turn));
    const first = steps.find((one) => !isTaken(one));
    const elsewhere = form.dataset.with && form.dataset.with !== first?.dataset.step, again = form.hasAttribute("data-again");
    form.hidden = form.hasAttribute("data-aside") ? Boolean(elsewhere) || (!again && isTaken(form)) : form !== first;
  }
  document.dispatchEvent(new Event("shown"));
  const strip = /** @type {HTMLElement | null} */ (document.querySelector("[data-unsent]"));
  if (!strip) return;
  strip.hidden = reports.length === 0;
  const said = strip.querySelector("[data-count]");
  if (said) said.textContent = (strip.dataset.words ?? "{n}").replace("{n}", String(open.length));
  const list = strip.querySelector("ul");
  list?.replaceChildren(...reports.map((one) => {
    const line = document.createElement("li"), at = new Date(one.at);
    const words = document.querySelector(`template[data-word="${one.step}"]`)?.innerHTML.trim() ?? one.step;
    line.textContent = `${at.getHours()}:${String(at.getMinutes()).padStart(2, "0")} ${words} · ${one.refused ? `${strip.dataset.refused} (${one.refused})` : strip.dataset.kept}`;
    return line;
  }));
}

/** Pages that must open without a network, too, are asked for once: the service worker keeps them. */
const kept = new Set();
function keepPages() {
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a[data-keep]"))) {
    if (kept.has(link.href) || !navigator.serviceWorker?.controller) continue;
    kept.add(link.href);
    fetch(link.href).catch(() => kept.delete(link.href));
  }
}

addEventListener("online", send);
document.addEventListener("kept", () => show().then(send));
document.addEventListener("fetched", (event) => {
  const { asked } = /** @type {CustomEvent} */ (event).detail;
  for (const [step, at] of taken) if (at < asked) taken.delete(step);
  now();
  keepPages();
  void show();
});
document.querySelector("[data-try]")?.addEventListener("click", send);
setInterval(send, TRY_MS);
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/worker/sw.js", { scope: "/worker" });
now();
keepPages();
void show().then(send);
