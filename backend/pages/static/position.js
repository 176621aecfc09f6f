// @ts-check
/** Where the phone is; and where that does not say "at the door", one question why, which nothing waits for longer than a minute. */
const POSITION_MS = 6000, ANSWER_MS = 60000, METRES_A_DEGREE = 111195;

/** @returns {Promise<Record<string, unknown>>} */
export const position = () => new Promise((done) => {
  if (!navigator.geolocation) { done({}); return; }
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => done({ x: coords.longitude, y: coords.latitude, accuracy_m: coords.accuracy }),
    () => done({}), { enableHighAccuracy: true, timeout: POSITION_MS, maximumAge: 20000 });
});

/**
 * Whether a position is at a door, as far as the page knows it: `x`, `y`, `range` and `unsure` in its data.
 * @param {Record<string, unknown>} here @param {DOMStringMap} door
 */
export const isThere = (here, door) => {
  if (here.x === undefined) return false;
  if (door.x === undefined) return true;
  const x = (Number(here.x) - Number(door.x)) * Math.cos(Number(door.y) * Math.PI / 180), y = Number(here.y) - Number(door.y);
  const unsure = Math.min(Number(here.accuracy_m) || 0, Number(door.unsure));
  return Math.hypot(x, y) * METRES_A_DEGREE - unsure <= Number(door.range);
};

/** Ask why, and go on with the first answer, or without one. @returns {Promise<Record<string, string>>} */
export const why = () => new Promise((done) => {
  const asked = /** @type {HTMLElement | null} */ (document.querySelector("[data-why]"));
  if (!asked) { done({}); return; }
  /** @param {string} reason */
  const end = (reason) => { asked.hidden = true; clearTimeout(timer); done(reason ? { position_reason: reason } : {}); };
  const timer = setTimeout(end, ANSWER_MS, "");
  asked.onclick = (event) => { const pressed = /** @type {HTMLElement} */ (event.target).closest("button"); if (pressed) end(pressed.value); };
  asked.hidden = false;
  /** @type {HTMLElement | null} */ (asked.querySelector("h2"))?.focus();
});
