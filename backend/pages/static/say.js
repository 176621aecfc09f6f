// @ts-check
/**
 * Reads a page aloud: the words come from the server in `data-say`, with times as they are spoken. Where the browser has no voice
 * of the page's language there is no button; nothing else depends on it. A second press stops, and so does leaving the page.
 */
const button = /** @type {HTMLButtonElement | null} */ (document.querySelector("[data-say]"));
const language = document.documentElement.lang;

function voice() {
  return speechSynthesis.getVoices().find((one) => one.lang.replace("_", "-").toLowerCase().startsWith(language.slice(0, 2)));
}

function offer() {
  if (button) button.hidden = !voice();
}

if (button && "speechSynthesis" in window) {
  offer();
  speechSynthesis.addEventListener("voiceschanged", offer);
  button.addEventListener("click", () => {
    if (speechSynthesis.speaking) { speechSynthesis.cancel(); return; }
    const words = new SpeechSynthesisUtterance(button.dataset.say);
    words.lang = language; // Android reads with the voice of the phone's own language without it
    words.voice = voice() ?? null;
    words.rate = 0.9;
    speechSynthesis.speak(words);
  });
  addEventListener("pagehide", () => speechSynthesis.cancel());
}
