// @ts-check
/**
 * Arrow keys in a grid of fields: up and down go to the same day of another line, left and right to the day beside it
 * where the end of what is typed is reached. Without this script the tab key does the same, one field after the other.
 */

/**
 * @param {Element} cell
 * @returns {HTMLInputElement | null}
 */
function fieldOf(cell) {
  return cell.querySelector("input");
}

/**
 * The next field of a line in a direction: days that are over have none.
 * @param {Element} cell
 * @param {"previousElementSibling" | "nextElementSibling"} way
 * @returns {HTMLInputElement | null}
 */
function beside(cell, way) {
  for (let next = cell[way]; next; next = next[way]) {
    const field = fieldOf(next);
    if (field) return field;
  }
  return null;
}

/**
 * @param {HTMLTableCellElement} cell
 * @param {"previousElementSibling" | "nextElementSibling"} way
 * @returns {HTMLInputElement | null}
 */
function below(cell, way) {
  const line = /** @type {HTMLTableRowElement | null} */ (cell.parentElement?.[way] ?? null);
  const other = line?.cells[cell.cellIndex];
  return other ? fieldOf(other) : null;
}

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLInputElement) || event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
  const cell = /** @type {HTMLTableCellElement | null} */ (field.closest(".grid td"));
  if (!cell || event.shiftKey) return;
  const [start, end] = [field.selectionStart === 0 && field.selectionEnd === 0, field.selectionStart === field.value.length];
  const whole = field.selectionStart === 0 && field.selectionEnd === field.value.length;
  /** @type {HTMLInputElement | null} */
  let next = null;
  if (event.key === "ArrowDown") next = below(cell, "nextElementSibling");
  else if (event.key === "ArrowUp") next = below(cell, "previousElementSibling");
  else if (event.key === "ArrowLeft" && (start || whole)) next = beside(cell, "previousElementSibling");
  else if (event.key === "ArrowRight" && (end || whole)) next = beside(cell, "nextElementSibling");
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.select();
});
