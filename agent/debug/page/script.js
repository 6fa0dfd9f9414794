"use strict";
// Keeps the page fresh. Each part marked data-live is replaced when the server's
// copy of it has changed; the page is complete without this.
(() => {
  const every = 5000;
  const root = document.documentElement;
  const note = document.getElementById("fresh");
  // The node's clock need not be ours: ages are told by the node's.
  let skew = Date.parse(root.dataset.now) - Date.now();
  let answered = Date.now();

  function span(ms) {
    const s = Math.floor(Math.abs(ms) / 1000), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (s < 60) return `${s} s`;
    if (m < 60) return `${m} min`;
    if (h < 24) return m % 60 ? `${h} h ${m % 60} min` : `${h} h`;
    return h % 24 ? `${d} d ${h % 24} h` : `${d} d`;
  }

  function tick() {
    if (document.hidden) return;
    for (const t of document.querySelectorAll("time.span")) {
      const text = span(Date.now() + skew - Date.parse(t.dateTime));
      if (t.textContent !== text) t.textContent = text;
    }
    const age = Date.now() - answered;
    root.classList.toggle("stale", age > 3 * every);
    if (age > 3 * every) note.textContent = `no answer for ${span(age)}: what you see is old`;
  }

  const nodeOf = (page) => page.querySelector("header .node").textContent;

  // What of a part counts as a change: not its ages, nor what the reader opened.
  function substance(part) {
    const copy = part.cloneNode(true);
    for (const t of copy.querySelectorAll("time.span")) t.textContent = "";
    for (const d of copy.querySelectorAll("details")) d.removeAttribute("open");
    return copy.innerHTML;
  }

  function busy(part) {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(part, true);
  }

  function replace(part, fresh) {
    for (const d of part.querySelectorAll("details[id]")) {
      const same = fresh.querySelector(`#${CSS.escape(d.id)}`);
      if (same) same.open = d.open;
    }
    const focus = part.contains(document.activeElement) && document.activeElement.getAttribute("href");
    part.replaceWith(document.adoptNode(fresh));
    if (focus) fresh.querySelector(`[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  }

  async function refresh() {
    if (document.hidden) return;
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(every) });
    if (!answer.ok) throw new Error(answer.statusText);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = next.documentElement.dataset.now;
    if (!now) throw new Error("not our page");
    // A forwarded port may lead to another node by now.
    if (nodeOf(next) !== nodeOf(document)) return location.reload();
    skew = Date.parse(now) - Date.now();
    answered = Date.now();
    document.title = next.title;
    note.replaceChildren(...next.getElementById("fresh").childNodes);
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = next.getElementById(part.id);
      if (fresh && !busy(part) && substance(part) !== substance(fresh)) replace(part, fresh);
    }
  }

  if (!location.protocol.startsWith("http")) return; // a saved page tells of its own time
  setInterval(() => refresh().catch(() => {}).finally(tick), every);
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", () => refresh().catch(() => {}).finally(tick));
})();
