// @ts-check
/** Keeps the last page of today readable without a network. It answers for pages and our own files only, never for reports. */
const KEPT = "worker-1";
/** The page on which a visit is stopped: a bath that must not go on is stopped in a basement, too. */
const PAGES = /^\/worker\/[0-9a-f-]{36}\/abort$/;
const self_ = /** @type {any} */ (self);

self_.addEventListener("install", () => self_.skipWaiting());
self_.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(self_.clients.claim()));
self_.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event, { pathname } = new URL(request.url);
  if (request.method !== "GET" || !(pathname === "/worker" || PAGES.test(pathname) || pathname.startsWith("/static/"))) return;
  event.respondWith(answer(request));
});

/** @param {Request} request */
async function answer(request) {
  const kept = await caches.open(KEPT);
  try {
    const fresh = await fetch(request);
    if (fresh.ok && !fresh.redirected) await kept.put(request, fresh.clone());
    else if (fresh.redirected) await caches.delete(KEPT); // signed out: nothing of anybody's day stays here
    return fresh;
  } catch {
    return (await kept.match(request)) ?? Response.error();
  }
}
