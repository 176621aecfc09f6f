// @ts-check
/** Where the phone is, and whether that is at the door. */
const POSITION_MS = 6000, METRES_A_DEGREE = 111195;

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
