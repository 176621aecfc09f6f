// @ts-check
/** The phone in the resident's hand, also in a basement: once the visit is checked out of, and until something was said. */
import { waiting } from "./reports.js";

document.addEventListener("shown", async () => {
  const open = (await waiting()).filter((one) => !one.refused);
  for (const section of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-handing]"))) {
    const has = (/** @type {string} */ step) => open.some((one) => one.order === section.dataset.order && one.step === step);
    section.hidden = has("handed-word") || (section.hasAttribute("data-ahead") && !has("check-out"));
  }
});
