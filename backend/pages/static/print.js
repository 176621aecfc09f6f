// @ts-check
/** A button that prints the page; without script it stays hidden, and the browser's own command is named instead. */
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-print]"))) {
  button.hidden = false;
  button.addEventListener("click", () => print());
  if (button.autofocus) button.focus();
}
