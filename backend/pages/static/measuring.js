// @ts-check
/**
 * One number per screen: the fields of a form that measures are asked one after the other, with keys for wet thumbs. Without script
 * they all stand there at once. Says at once what is outside its limits, also without a network.
 */
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "⌫", "0", "."];

/** @param {HTMLFormElement} form @returns {HTMLElement[]} */
const checks = (form) => [...form.querySelectorAll("[data-check]")].map((one) => /** @type {HTMLElement} */ (one));

/** @param {HTMLElement} check @returns {HTMLInputElement[]} */
const fields = (check) => [...check.querySelectorAll("input")];

/** Whether an answer stands there, and lies outside its limits. @param {HTMLElement} check */
const outside = (check) => fields(check).some((field) => {
  if (field.type === "radio") return field.checked && field.hasAttribute("data-unfit");
  return field.value !== "" && (Number(field.value) < Number(check.dataset.least) || Number(field.value) > Number(check.dataset.most));
});

/** @param {HTMLFormElement} form @param {number} turn */
function ask(form, turn) {
  const all = checks(form), check = all[turn], last = turn === all.length - 1;
  form.dataset.at = String(turn);
  all.forEach((one) => { one.hidden = one !== check; });
  const count = form.querySelector("[data-turn-of]"), done = /** @type {HTMLElement | null} */ (form.querySelector("[data-done]"));
  if (count) count.textContent = `${turn + 1}/${all.length}`;
  if (done) done.hidden = !last;
  const keys = /** @type {HTMLElement | null} */ (form.querySelector(".keys"));
  if (keys) keys.hidden = fields(check)[0].type === "radio";
  const next = /** @type {HTMLElement | null} */ (form.querySelector("[data-go]"));
  if (next) next.hidden = last;
}

/** @param {HTMLFormElement} form @param {string} key */
function press(form, key) {
  const field = fields(checks(form)[Number(form.dataset.at)])[0];
  form.setAttribute("data-typing", "");
  field.value = key === "⌫" ? field.value.slice(0, -1) : (field.value + key).slice(0, field.maxLength);
}

/** @param {HTMLFormElement} form */
function onward(form) {
  const turn = Number(form.dataset.at), all = checks(form);
  if (!fields(all[turn]).every((field) => field.reportValidity())) return;
  if (turn + 1 < all.length) ask(form, turn + 1);
}

/** @param {string} words @param {() => void} then @param {string} [label] */
function button(words, then, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn btn--plain";
  made.textContent = words;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", then);
  return made;
}

function begin() {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form.measure"));
  if (!form || form.dataset.at) return;
  form.noValidate = true; // what is hidden cannot say that it is empty: each screen asks for itself
  const keys = document.createElement("div");
  keys.className = "keys";
  keys.append(...KEYS.map((key) => button(key, () => press(form, key), key === "⌫" ? form.dataset.back : undefined)));
  const next = button(form.dataset.next ?? "", () => onward(form));
  next.className = "btn btn--main btn--wide";
  next.dataset.go = "";
  form.querySelector("[data-done]")?.before(keys, next);
  for (const field of form.querySelectorAll("input[data-answer]")) {
    field.setAttribute("inputmode", "none"); // our own keys are larger than the phone's
    field.addEventListener("input", () => form.setAttribute("data-typing", ""));
  }
  ask(form, 0);
}

document.addEventListener("submit", (event) => {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (!form.matches("form.measure")) return;
  const all = checks(form), empty = all.findIndex((one) => !fields(one).every((field) => field.checkValidity()));
  if (empty >= 0) { event.preventDefault(); event.stopImmediatePropagation(); ask(form, empty); onward(form); return; }
  const found = all.filter(outside).map((one) => one.dataset.check).join(" · ");
  form.dataset.outside = found;
  form.removeAttribute("data-typing");
  const told = /** @type {HTMLElement | null} */ (form.querySelector("[data-told]")), words = form.querySelector("[data-words]");
  if (told) told.hidden = !found;
  if (words && found) words.textContent = `${form.dataset.outsideWords}${found}`;
  // Whoever measures again begins anew, once what was measured is on its way.
  setTimeout(() => { if (found) { form.reset(); ask(form, 0); } });
}, true);

document.addEventListener("fetched", begin);
begin();
