// @ts-check
/** Wet hands: while a bath goes on, a second tap right after the first is none; large buttons come with the page, also in a basement. */
const AGAIN_MS = 400, DAY_S = 57600;
let last = -AGAIN_MS;

const region = () => /** @type {HTMLElement | null} */ (document.querySelector("[data-bath]"));
const isOff = () => document.cookie.split("; ").includes("yinling_wet=off");

function show() {
  const here = region(), out = document.getElementById("out"), inside = Boolean(here && (here.querySelector(".measure:not([hidden])") || (out && !out.hidden)));
  here?.classList.toggle("wet", inside && !isOff());
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("[data-wet-switch]")), button = form?.querySelector("button");
  if (!form || !button) return;
  form.hidden = !inside;
  button.value = String(isOff());
  button.textContent = (isOff() ? form.dataset.on : form.dataset.off) ?? "";
}

document.addEventListener("click", (event) => {
  const at = /** @type {HTMLElement} */ (event.target);
  // keys are typed fast on purpose, and an alarm is never one too many
  if (!at.closest(".wet, .toast") || at.closest(".keys, .alarm")) return;
  if (!event.detail) return; // by a keyboard
  const soon = event.timeStamp - last < AGAIN_MS;
  if (!soon) { last = event.timeStamp; return; }
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.dataset.line && form.closest(".wet")) navigator.vibrate?.(40);
  if (form.dataset.wetSwitch === undefined) return;
  event.preventDefault();
  document.cookie = `yinling_wet=${isOff() ? "on" : "off"}; path=/; max-age=${DAY_S}; samesite=lax`;
  show();
}, true);
document.addEventListener("shown", show);
