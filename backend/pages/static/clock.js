// @ts-check
/**
 * Time that is left, counted by the server's clock: `data-until` and `data-now` are instants, `data-rate` how fast care time
 * runs (a demo's is faster). Without script the end of it stands there. Readers of the screen hear it at five minutes, at one, and at the end.
 */
const SAID_S = [300, 60, 0];
const loaded = performance.now();

/** @param {HTMLElement} clock */
function count(clock) {
  const { until, now, total } = clock.dataset;
  if (!until || !now) return;
  const since = (performance.now() - Number(clock.dataset.since ??= String(loaded))) * Number(clock.dataset.rate ?? 1);
  const left = Math.max(0, Math.round((Date.parse(until) - Date.parse(now) - since) / 1000));
  const hours = Math.floor(left / 3600);
  const rest = `${hours ? String(Math.floor(left / 60) % 60).padStart(2, "0") : Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  const text = left ? (hours ? `${hours}:` : "") + rest : clock.dataset.over ?? "";
  const digits = clock.querySelector("[data-left]") ?? clock;
  if (digits.textContent !== text) digits.textContent = text;
  const share = total ? left / Number(total) : 1;
  clock.style.setProperty("--left", String(Math.min(1, share)));
  clock.toggleAttribute("data-urgent", left <= 180 || share <= 0.2);
  const said = SAID_S.find((at) => left <= at && left > at - 2);
  const line = clock.parentElement?.querySelector(".vh[aria-live]");
  if (line && said !== undefined && clock.dataset.said !== String(said)) {
    clock.dataset.said = String(said);
    line.textContent = text;
  }
}

setInterval(() => document.querySelectorAll("[data-until]").forEach((clock) => count(/** @type {HTMLElement} */ (clock))), 250);
// what a live region has fetched anew was true when it came
document.addEventListener("fetched", (event) => /** @type {HTMLElement} */ (event.target).querySelectorAll("[data-until]").forEach((clock) => {
  /** @type {HTMLElement} */ (clock).dataset.since = String(performance.now());
}));
