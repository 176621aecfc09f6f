// @ts-check
/**
 * The keys of the operator's desk: what carries `data-key` is pressed by that key, so that every key has a button beside it.
 *
 * Digits, arrows and + act while nothing is typed into and a list (`data-area`) is on the page; in a field they type.
 * No letters, no Alt, no Ctrl: an input method eats letters, browsers own the rest. What an input method is composing is left alone.
 */
const ANYWHERE = new Set(["F2", "F8", "F9", "Escape"]);

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.isComposing || event.keyCode === 229 || event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
  const typing = /** @type {HTMLElement} */ (event.target).closest("input:not([type=hidden]), textarea, select");
  const anywhere = ANYWHERE.has(event.key);
  if (typing && !anywhere) return;
  const found = /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(event.key)}"]`));
  if (!found) {
    if (event.key === "Escape" && typing) event.preventDefault(); // a search field would be emptied
    return;
  }
  event.preventDefault();
  if (found instanceof HTMLInputElement) { found.focus(); found.select(); return; }
  if (found.dataset.pressed) return; // the page is on its way
  found.dataset.pressed = "1";
  found.click();
}

document.addEventListener("keydown", press);
addEventListener("pageshow", () => document.querySelectorAll("[data-pressed]").forEach((one) => one.removeAttribute("data-pressed")));
