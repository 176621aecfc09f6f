// @ts-check
/**
 * A sound for what is new and waits for an answer. Browsers allow one after a first press, so the button says what to do until
 * then. `data-waiting` in a live region is the number that waits; it sounds when that grows, and once a minute while one is urgent.
 */
const button = /** @type {HTMLButtonElement | null} */ (document.querySelector("[data-chime]"));
/** @type {AudioContext | undefined} */
let audio;
let known = waiting();

function waiting() {
  return Number(/** @type {HTMLElement | null} */ (document.querySelector("[data-waiting]"))?.dataset.waiting ?? 0);
}

function chime() {
  if (!audio || button?.getAttribute("aria-pressed") !== "true") return;
  for (const [n, pitch] of [784, 988].entries()) {
    const tone = audio.createOscillator(), loud = audio.createGain(), at = audio.currentTime + n * 0.22;
    tone.frequency.value = pitch;
    loud.gain.setValueAtTime(0.18, at);
    loud.gain.exponentialRampToValueAtTime(0.001, at + 0.5);
    tone.connect(loud).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.5);
  }
}

button?.removeAttribute("hidden");
button?.addEventListener("click", () => {
  audio ??= new AudioContext();
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  button.querySelector("span")?.replaceChildren((on ? button.dataset.on : button.dataset.off) ?? "");
  if (on) chime();
});
document.addEventListener("fetched", () => {
  const now = waiting();
  if (now > known) chime();
  known = now;
});
setInterval(() => { if (document.querySelector("[data-until][data-urgent]")) chime(); }, 60000);
