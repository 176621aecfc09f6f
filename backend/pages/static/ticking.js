// @ts-check
/**
 * What is done at a visit: one press a line, kept like every report and taken back by another press. Who checks out too early is
 * shown what is missing; the platform asks the same of a phone without script.
 */
import { now, stored, waiting } from "./reports.js";

const UNDO_MS = 10000;
/** What was pressed on this page, by order and line: until it was fetched anew its lines do not know. @type {Map<string, { done: boolean, at: number }>} */
const pressed = new Map();
/** Whether somebody wanted to check out while something was missing. */
let tooEarly = false;

/** @returns {HTMLElement | null} */
const list = () => document.querySelector("[data-checklist]");
/** @returns {HTMLFormElement[]} */
const lines = () => [...document.querySelectorAll("form[data-line]")].map((one) => /** @type {HTMLFormElement} */ (one));
/** @param {HTMLFormElement} form */
const named = (form) => `${form.dataset.order} ${form.dataset.line}`;
/** @param {HTMLFormElement} form */
const isDone = (form) => pressed.get(named(form))?.done ?? form.hasAttribute("data-done");
const missing = () => lines().filter((form) => form.hasAttribute("data-required") && !isDone(form));

/** @param {HTMLFormElement} form @param {boolean} done */
async function tick(form, done) {
  const { order = "", line = "" } = form.dataset, at = now().toISOString();
  pressed.set(named(form), { done, at: Date.now() });
  show();
  const body = { line, done, device_at: at };
  await stored("readwrite", (store) => store.put({ key: crypto.randomUUID(), url: `/v1/orders/${order}/checklist`, step: "checklist", order, at, pressed: Date.now(), body }));
  document.dispatchEvent(new Event("kept"));
}

/** Say how each line stands, and on the button below how many are missing. */
function show() {
  for (const form of lines()) {
    const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
    button.setAttribute("aria-pressed", String(isDone(form)));
    button.value = String(!isDone(form));
  }
  const section = list(), out = /** @type {HTMLFormElement | null} */ (document.getElementById("out")), count = missing().length;
  if (!section) return;
  if (out) section.hidden = out.hidden;
  const left = out?.querySelector("[data-left]"), why = /** @type {HTMLElement | null} */ (section.querySelector("[data-left-out]"));
  if (left) left.textContent = count ? (section.dataset.left ?? "{n}").replace("{n}", String(count)) : "";
  if (why) why.hidden = !count;
  const told = /** @type {HTMLElement | null} */ (section.querySelector("[data-told]"));
  tooEarly &&= count > 0;
  if (told) told.hidden = !tooEarly; // also after the page was fetched anew
}

/** @param {HTMLFormElement} form */
const middle = (form) => { form.scrollIntoView({ block: "center" }); /** @type {HTMLElement} */ (form.querySelector("button")).focus({ preventScroll: true }); };

/** @type {HTMLFormElement | null} */
let last = null;
let timer = 0;
/** @param {HTMLFormElement | null} form the line whose press can be taken back for a while */
function offerUndo(form) {
  const toast = /** @type {HTMLElement | null} */ (document.querySelector("[data-undo]")), words = toast?.querySelector("[data-words]");
  if (!toast || !words) return;
  clearTimeout(timer);
  last = form;
  toast.hidden = !form;
  if (!form) return;
  words.textContent = (toast.dataset.said ?? "{line}").replace("{line}", form.dataset.name ?? "");
  timer = setTimeout(offerUndo, UNDO_MS, null);
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target), by = /** @type {SubmitEvent} */ (event).submitter;
  if (form.dataset.line) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const done = !isDone(form);
    void tick(form, done);
    offerUndo(done ? form : null);
    const next = missing()[0];
    if (done && next) middle(next);
  } else if (form.id === "out" && !by?.getAttribute("name") && missing().length) {
    event.preventDefault();
    event.stopImmediatePropagation();
    tooEarly = true;
    show();
    middle(missing()[0]);
  }
}, true);

document.querySelector("[data-undo] button")?.addEventListener("click", () => {
  // the page may have been fetched anew since: the line is found by its name
  const form = lines().find((one) => last && named(one) === named(last));
  if (form) void tick(form, false);
  offerUndo(null);
});
document.addEventListener("fetched", async (event) => {
  const { asked } = /** @type {CustomEvent} */ (event).detail;
  const open = new Set((await waiting()).map((one) => `${one.order} ${one.body.line}`));
  for (const [name, one] of pressed) if (one.at < asked && !open.has(name)) pressed.delete(name);
  show();
});
document.addEventListener("shown", show);

/** What was pressed before this page was opened waits with the rest. */
async function begin() {
  for (const one of await waiting()) if (one.step === "checklist") pressed.set(`${one.order} ${one.body.line}`, { done: Boolean(one.body.done), at: one.pressed });
  show();
}
void begin();
