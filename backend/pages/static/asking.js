// @ts-check
/** One question with a button for each answer, which nothing waits for longer than a minute: the time was taken before it. */
const ANSWER_MS = 60000;

/**
 * Show the question, and go on with the first answer, or without one.
 * @param {string} question where it stands on the page @param {string} name what its answer is called in a report
 * @returns {Promise<Record<string, string>>}
 */
export const ask = (question, name) => new Promise((done) => {
  const asked = /** @type {HTMLElement | null} */ (document.querySelector(question));
  if (!asked) { done({}); return; }
  /** @param {string} reason */
  const end = (reason) => { asked.hidden = true; clearTimeout(timer); done(reason ? { [name]: reason } : {}); };
  const timer = setTimeout(end, ANSWER_MS, "");
  asked.onclick = (event) => { const pressed = /** @type {HTMLElement} */ (event.target).closest("button"); if (pressed) end(pressed.value); };
  asked.hidden = false;
  /** @type {HTMLElement | null} */ (asked.querySelector("h2"))?.focus();
});

/** Whether a visit that ends at an instant ends far from its planned end, as the page knows both. @param {DOMStringMap} visit @param {string} at */
export const isOff = (visit, at) => visit.ends !== undefined && Math.abs(Date.parse(at) - Date.parse(visit.ends)) > Number(visit.askedS) * 1000;
