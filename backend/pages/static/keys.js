// @ts-check
/**
 * The keys of the operator's desk: what carries `data-key` is pressed by that key, so that every key has a button beside it.
 *
 * Digits, arrows and + act while nothing is typed into and a list (`data-area`) is on the page; in a field they type.
 * No letters, no Alt, no Ctrl: an input method eats letters, browsers own the rest. What an input method is composing is left alone.
 * Once the next page is on its way, digits and Enter do nothing until it is there: they were meant for a list that nobody has read
 * yet, and would choose from the one before. Emergency, search and the way back always work.
 */
const ANYWHERE = new Set(["F2", "F8", "F9", "Escape"]), CHOOSING = new Set(["Enter", " "]), GIVEN_UP_MS = 10000;
let leftAt = -GIVEN_UP_MS;

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.isComposing || event.keyCode === 229 || event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
  const typing = /** @type {HTMLElement} */ (event.target).closest("input:not([type=hidden]), textarea, select");
  const anywhere = ANYWHERE.has(event.key);
  if (typing && !anywhere) return;
  const found = /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(event.key)}"]`));
  if (!anywhere && performance.now() - leftAt < GIVEN_UP_MS) {
    if (found || CHOOSING.has(event.key)) event.preventDefault();
    return;
  }
  if (!found) {
    if (event.key === "Escape" && typing) event.preventDefault(); // a search field would be emptied
    return;
  }
  event.preventDefault();
  if (found instanceof HTMLInputElement) { found.focus(); found.select(); return; }
  found.click();
}

/** @param {Event} event what opens another page, unless something has kept it from doing so */
function leave(event) {
  const link = /** @type {HTMLElement} */ (event.target).closest("a");
  const leaves = event.type === "submit" || (link && link.protocol === location.protocol && !link.target && !link.getAttribute("href")?.startsWith("#"));
  if (leaves && !event.defaultPrevented) leftAt = performance.now();
}

document.addEventListener("keydown", press);
document.addEventListener("click", leave);
document.addEventListener("submit", leave);
addEventListener("pageshow", () => { leftAt = -GIVEN_UP_MS; });
