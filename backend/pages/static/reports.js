// @ts-check
/** What is kept on the worker's phone until it is sent, and what time a press has. */

/** @typedef {{ key: string, url: string, step: string, order: string, at: string, pressed: number, body: Record<string, unknown>, refused?: string, outside?: string }} Report */

/** @returns {Promise<IDBDatabase>} */
const open = () => new Promise((done, fail) => {
  const asked = indexedDB.open("yinling-worker", 1);
  asked.onupgradeneeded = () => asked.result.createObjectStore("reports", { keyPath: "key" });
  asked.onsuccess = () => done(asked.result);
  asked.onerror = () => fail(asked.error);
});

/** @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} use @returns {Promise<any>} */
export const stored = async (mode, use) => {
  const database = await open();
  return new Promise((done, fail) => {
    const asked = use(database.transaction("reports", mode).objectStore("reports"));
    asked.onsuccess = () => { done(asked.result); database.close(); };
    asked.onerror = () => { fail(asked.error); database.close(); };
  });
};
/** @returns {Promise<Report[]>} */
export const waiting = async () => (await stored("readonly", (store) => store.getAll())).sort((/** @type {Report} */ a, /** @type {Report} */ b) => a.pressed - b.pressed);

/** The time of the press: the phone's own, or where the city's clock is not the wall's, as in a demo, the city's. */
export const now = () => {
  const clock = /** @type {HTMLElement | null} */ (document.querySelector("[data-care-now]"));
  if (!clock?.dataset.careNow) return new Date();
  const since = performance.now() - Number(clock.dataset.since ??= String(performance.now()));
  return new Date(Date.parse(clock.dataset.careNow) + since * Number(clock.dataset.rate));
};
