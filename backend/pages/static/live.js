// @ts-check
/** A part of the page that is fetched again when the platform says something changed. Without a socket it asks every 5 s. */
class LiveRegion extends HTMLElement {
  connectedCallback() {
    this.stale = false;
    this.busy = false;
    this.attempt = 0;
    this.timer = setInterval(() => { if (!this.socket || this.socket.readyState !== WebSocket.OPEN) this.refresh(); }, 5000);
    this.slow = setInterval(() => this.refresh(), 15000);
    this.listen();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    clearInterval(this.slow);
    this.socket?.close();
  }

  async listen() {
    try {
      const answer = await fetch("/v1/live/board-tickets", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
      if (!answer.ok) throw new Error(String(answer.status));
      const { ticket, url } = await answer.json();
      const socket = new WebSocket(url);
      this.socket = socket;
      socket.addEventListener("open", () => socket.send(JSON.stringify({ ticket, cursor: null })));
      socket.addEventListener("message", (message) => {
        const { type } = JSON.parse(message.data);
        if (type === "hello") { this.attempt = 0; this.pulse(true); this.refresh(); }
        if (type === "board.changed" || type === "reset") this.refresh();
      });
      socket.addEventListener("close", () => this.again());
    } catch {
      this.again();
    }
  }

  again() {
    this.pulse(false);
    this.attempt += 1;
    setTimeout(() => this.listen(), Math.min(15000, 500 * 2 ** this.attempt) * (0.5 + Math.random()));
  }

  /** @param {boolean} on */
  pulse(on) {
    this.on = on;
    const mark = this.querySelector("[data-pulse]");
    if (!mark) return;
    mark.classList.toggle("lost", !on);
    mark.textContent = (on ? this.dataset.live : this.dataset.offline) ?? "";
  }

  async refresh() {
    if (this.busy) { this.stale = true; return; }
    this.busy = true;
    try {
      const answer = await fetch(this.getAttribute("src") ?? "");
      if (answer.ok) { this.innerHTML = await answer.text(); this.pulse(this.on ?? true); }
    } catch {
      this.pulse(false);
    }
    await new Promise((resolve) => setTimeout(resolve, 600));
    this.busy = false;
    if (this.stale) { this.stale = false; this.refresh(); }
  }
}

customElements.define("live-region", LiveRegion);
