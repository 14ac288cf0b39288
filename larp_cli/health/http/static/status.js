"use strict";
// Fetches this page again and copies what has changed. Only the server renders.
(() => {
  const EVERY = 5000;
  const KEY = "larp-details-token";
  const LIVE = ["state", "facts", "details"];
  const get = (id) => document.getElementById(id);
  const main = document.querySelector("main");

  // A browser may forbid the storage. The token then lasts as long as the page.
  const store = (() => {
    try {
      return window.sessionStorage;
    } catch {
      return null;
    }
  })();
  let token = store?.getItem(KEY) ?? null;
  let answered = new Date();
  let turn = 0;
  let timer = null;

  // XMLHttpRequest parses the page itself, so the policy can forbid every other way to turn text
  // into elements (require-trusted-types-for).
  function fetchPage() {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("GET", location.pathname);
      request.responseType = "document";
      request.timeout = 2 * EVERY;
      if (token !== null) request.setRequestHeader("Authorization", `Bearer ${token}`);
      request.onload = () => {
        const page = request.status === 200 ? request.response : null;
        if (page?.getElementById("state")) resolve(page);
        else reject(new Error("this is not the status page"));
      };
      request.onerror = request.ontimeout = () => reject(new Error("no answer"));
      request.send();
    });
  }

  async function refresh() {
    const mine = ++turn;
    clearTimeout(timer);
    let page = null;
    try {
      page = await fetchPage();
    } catch {
      // Reported below.
    }
    if (mine !== turn) return;
    if (page === null) showLost();
    else show(page);
    timer = setTimeout(refresh, EVERY);
  }

  function showLost() {
    if (!get("lost").hidden) return;
    const since = answered.toISOString().slice(11, 19);
    get("lost").textContent =
      `No answer from the server since ${since} UTC. This page shows its state at that time.`;
    get("lost").hidden = false;
    document.body.classList.add("lost");
    document.title = `No answer: ${document.title}`;
  }

  function show(page) {
    answered = new Date();
    const version = (from) => from.querySelector("meta[name=generator]")?.content;
    if (version(page) !== version(document)) {
      location.reload();
      return;
    }
    get("lost").hidden = true;
    document.body.classList.remove("lost");
    for (const id of LIVE) {
      const [old, fresh] = [get(id), page.getElementById(id)];
      if (!old.isEqualNode(fresh)) old.replaceChildren(...fresh.childNodes);
    }
    if (document.title !== page.title) document.title = page.title;
    const icon = page.getElementById("icon").getAttribute("href");
    if (get("icon").getAttribute("href") !== icon) get("icon").setAttribute("href", icon);
    main.dataset.details = page.querySelector("main").dataset.details;
    if (token !== null && !detailed()) {
      keep(null);
      get("told").textContent = "The server rejected this token.";
    }
    showAccess();
  }

  function detailed() {
    return main.dataset.details === "yes";
  }

  function showAccess() {
    const mayForget = token !== null && detailed();
    get("closed").hidden = get("form").hidden = detailed();
    get("forget").hidden = !mayForget;
    get("access").hidden = detailed() && !mayForget;
  }

  function keep(given) {
    token = given;
    if (given === null) store?.removeItem(KEY);
    else store?.setItem(KEY, given);
  }

  get("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = get("token").value.trim();
    get("token").value = "";
    get("told").textContent = "";
    // Other characters cannot be part of a header, so this is not the token.
    if (!/^[\x21-\x7e]+$/.test(given)) {
      get("told").textContent = "The server rejected this token.";
      return;
    }
    keep(given);
    await refresh();
    if (detailed()) get("details").focus();
  });

  get("forget").addEventListener("click", () => {
    keep(null);
    refresh();
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });

  showAccess();
  if (token !== null) refresh();
  else timer = setTimeout(refresh, EVERY);
})();
