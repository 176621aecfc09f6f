// @ts-check
/**
 * A part of a page that is fetched again when the platform says that something in it changed.
 *
 * Attributes: `src` where it is fetched; `data-order` the order it shows (without it every event counts, as on the
 * board); `data-by-clock` where the clock alone fetches it, three times in `data-every`; `data-tickets` where a ticket for the socket is asked for; `data-every` seconds after which it is fetched in any case.
 * What is being typed or chosen in it is never taken away: new facts wait in a strip until somebody asks for them.
 */
const RETRY_MS = 15000, WITHOUT_SOCKET_MS = 5000, OFF_AFTER_MS = 30000, PRESS_MS = 1000;

class LiveRegion extends HTMLElement {
  connectedCallback() {
    this.attempt = 0;
    /** @type {string | null} */
    this.cursor = null;
    this.fetchedAt = Date.now();
    const every = Number(this.dataset.every ?? 15) * 1000;
    this.timers = [
      setInterval(() => { if (this.socket?.readyState !== WebSocket.OPEN) this.refresh(); }, Math.max(WITHOUT_SOCKET_MS, every / 3)),
      setInterval(() => this.refresh(), every),
      setInterval(() => this.pulse(), 1000),
    ];
    this.addEventListener("look", () => this.refresh());
    // What a finger is on stays under it until it is lifted: a button replaced between down and up is not pressed.
    this.addEventListener("pointerdown", () => {
      this.lifted = new Promise((done) => { setTimeout(done, PRESS_MS); addEventListener("pointerup", () => setTimeout(done), { once: true }); });
    });
    if (!this.childElementCount) this.refresh();
    if (!("byClock" in this.dataset)) this.listen();
  }

  disconnectedCallback() {
    this.timers?.forEach(clearInterval);
    this.gone = true;
    this.socket?.close();
  }

  async listen() {
    try {
      const body = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
      const answer = await fetch(this.dataset.tickets ?? "/v1/live/tickets", body);
      if (!answer.ok) throw new Error(String(answer.status));
      const { ticket, url } = await answer.json();
      const socket = new WebSocket(url);
      this.socket = socket;
      socket.addEventListener("open", () => socket.send(JSON.stringify({ ticket, cursor: this.cursor })));
      socket.addEventListener("message", (message) => this.hear(JSON.parse(message.data)));
      socket.addEventListener("close", () => this.again());
    } catch {
      this.again();
    }
  }

  /** @param {{type: string, cursor: string, data?: {order_id?: string}}} event */
  hear(event) {
    if (event.cursor) this.cursor = event.cursor;
    this.attempt = 0;
    // a consent that has changed concerns whatever is shown by it
    const mine = !this.dataset.order || event.data?.order_id === this.dataset.order || event.type === "consent.changed";
    if (event.type === "hello" || event.type === "reset" || event.type === "board.changed" || (event.data && mine)) this.refresh();
  }

  again() {
    if (this.gone) return;
    this.attempt += 1;
    setTimeout(() => this.listen(), Math.min(RETRY_MS, 500 * 2 ** this.attempt) * (0.5 + Math.random()));
  }

  /** Say since when it is true: live, late, or off. What was fetched stays readable. */
  pulse() {
    const mark = /** @type {HTMLElement | null} */ (this.querySelector("[data-live]"));
    if (!mark) return;
    const open = this.socket?.readyState === WebSocket.OPEN;
    const state = open ? "on" : Date.now() - this.fetchedAt > OFF_AFTER_MS ? "off" : "late";
    const told = mark.dataset[state] ?? mark.dataset.on;
    if (mark.dataset.state !== state) mark.dataset.state = state;
    if (told && mark.textContent !== told) mark.textContent = told;
    mark.classList.toggle("lost", !open);
  }

  async refresh() {
    if (this.busy) { this.stale = true; return; }
    this.busy = true;
    try {
      const address = new URL(this.getAttribute("src") ?? "", location.href);
      const shown = /** @type {HTMLElement | null} */ (this.querySelector("[data-shown]"));
      if (shown?.dataset.shown) address.searchParams.set("shown_at", shown.dataset.shown);
      const asked = Date.now(), answer = await fetch(address);
      if (answer.redirected || answer.status === 401 || answer.status === 404) { location.reload(); return; }
      const html = await answer.text();
      await this.lifted;
      if (answer.ok) this.put(html, asked);
    } catch { /* the network is gone: `pulse` says so, and the next look tries again */ }
    await new Promise((resolve) => setTimeout(resolve, 600));
    this.busy = false;
    if (this.stale) { this.stale = false; this.refresh(); }
  }

  /** @param {string} html @param {number} asked when this was asked for: it may not know what was done since */
  put(html, asked) {
    this.fetchedAt = Date.now();
    if (html === this.last) return;
    const focused = document.activeElement;
    const typing = focused instanceof HTMLInputElement || focused instanceof HTMLTextAreaElement || focused instanceof HTMLSelectElement;
    // What was pressed is no longer being typed; a phone leaves the cursor in its field all the same.
    if ((typing && this.contains(focused) && !focused.form?.dataset.pressed) || this.querySelector("[data-typing]")) { this.offer(html, asked); return; }
    const kept = this.kept(), place = focused && this.contains(focused) ? focused.getAttribute("href") ?? focused.id : null;
    this.last = html;
    this.innerHTML = html;
    for (const [box, name] of this.boxes()) if (kept.open.has(name)) box.open = true;
    for (const field of this.fields()) field.value = kept.typed.get(field.id) ?? field.value;
    if (place) /** @type {HTMLElement | null} */ (this.querySelector(`[href="${CSS.escape(place)}"], [id="${CSS.escape(place)}"]`))?.focus({ preventScroll: true });
    this.dispatchEvent(new CustomEvent("fetched", { bubbles: true, detail: { asked } }));
    this.title();
    this.pulse();
  }

  /** @returns {[HTMLDetailsElement, string][]} boxes that can be opened, and the form and words each is known by */
  boxes() {
    return [...this.querySelectorAll("details")].map((box) => [box, `${box.closest("form")?.action} ${box.querySelector("summary")?.textContent}`]);
  }

  /** @returns {HTMLInputElement[]} */
  fields() { return [...this.querySelectorAll("input[id]")].map((field) => /** @type {HTMLInputElement} */ (field)); }

  /** What somebody opened, and typed without having sent it: news takes neither away. */
  kept() {
    const unsent = this.fields().filter((field) => field.value !== field.defaultValue && !field.form?.dataset.pressed);
    return {
      open: new Set(this.boxes().filter(([box]) => box.open).map(([, name]) => name)),
      typed: new Map(unsent.map((field) => [field.id, field.value])),
    };
  }

  /** Somebody is typing here: say that there is news, and wait. @param {string} html @param {number} asked */
  offer(html, asked) {
    const strip = this.parentElement?.querySelector("[data-news]");
    if (!(strip instanceof HTMLElement)) return;
    strip.hidden = false;
    strip.onclick = () => { strip.hidden = true; /** @type {HTMLElement} */ (document.activeElement)?.blur(); this.put(html, asked); };
  }

  /** A tab in the background tells the state in its title. */
  title() {
    const state = this.querySelector("[data-title]")?.getAttribute("data-title");
    if (state) document.title = state;
  }
}

customElements.define("live-region", LiveRegion);
