"use strict";
// Sorts, filters and unfolds the checks. Names come from the index as text; details are HTML that was escaped when made.
(() => {
  const PAGE = {{ static_rows }}, CHUNK = {{ rows_per_chunk }};
  const find = (id) => document.getElementById(id);
  const list = find("rows"), more = find("more"), status = find("status"), only = find("only");
  const search = find("search"), layer = find("layer"), sort = find("sort");
  const boxes = [...document.querySelectorAll("input[name=verdict]")];
  const servers = [...find("server-rows").rows], serverSearch = find("server-search"), serverStatus = find("server-status");
  const chunks = new Map();
  let index = null, order = [], shown = 0, timer = 0, at = [];

  async function unpack(id) {
    const bytes = Uint8Array.from(atob(find(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function chunk(number) {
    if (!chunks.has(number)) {
      chunks.set(number, find(`chunk-${number}`) ? unpack(`chunk-${number}`) : Promise.resolve(null));
    }
    return chunks.get(number);
  }

  function element(name, className, text = "") {
    const made = document.createElement(name);
    made.className = className;
    made.textContent = text;
    return made;
  }

  function anchor(number) {
    const place = index.places[index.place[number]], check = index.kinds[index.kind[number]][0];
    return `check:${check}${place ? `[${place}]` : ""}`.replaceAll(" ", "_");
  }

  function row(number) {
    const [check, fact] = index.kinds[index.kind[number]];
    const verdict = index.verdicts[index.verdict[number]];
    const item = document.createElement("li"), details = element("details", "check"), summary = element("summary", "");
    details.dataset.row = number;
    details.id = anchor(number);
    summary.append(
      element("span", `mark ${verdict.replace(" ", "_")}`, verdict), element("span", "id", check),
      element("span", "place", index.places[index.place[number]]),
      element("span", "time", `${(index.ms[number] / 1000).toFixed(2)} s`), element("span", "fact", index.messages[number] || fact));
    details.append(summary, element("div", "detail"));
    item.append(details);
    return item;
  }

  async function fill(details) {
    const detail = details.querySelector(".detail");
    if (!("ready" in details.dataset)) {
      details.dataset.ready = "";
      const number = Number(details.dataset.row), found = await chunk(Math.floor(number / CHUNK));
      if (found) detail.innerHTML = found[number % CHUNK];
      else detail.textContent = "To keep this page small, this check's detail is only in records.jsonl.";
    }
    offerCopies(detail);
    if (!detail.querySelector(".link")) {
      const link = element("a", "link", "Link to this check");
      link.href = `#${encodeURIComponent(details.id)}`;
      detail.prepend(link);
    }
  }

  // What may be typed elsewhere gets a button; without a script there is none.
  function offerCopies(part) {
    for (const source of part.querySelectorAll("[data-copy]:not([data-offered])")) {
      source.dataset.offered = "";
      const button = element("button", "copy", "Copy");
      button.type = "button";
      button.setAttribute("aria-label", `Copy ${source.dataset.copy}`);
      source.after(" ", button);
    }
  }

  async function copy(button) {
    const source = button.previousElementSibling;
    const text = source.dataset.text ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange(), selection = getSelection();
      range.selectNodeContents(source);
      selection.removeAllRanges();
      selection.addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  function show() {
    const part = document.createDocumentFragment();
    for (const number of order.slice(shown, shown + PAGE)) part.append(row(number));
    list.append(part);
    shown = Math.min(order.length, shown + PAGE);
    tell();
  }

  function tell() {
    const all = index.kind.length, count = (number) => number.toLocaleString("en");
    const matching = order.length === all ? `${count(all)} checks` : `${count(order.length)} of ${count(all)} checks match`;
    status.textContent = shown < order.length ? `${matching}, the first ${count(shown)} are shown` : matching;
    more.hidden = shown >= order.length;
    only.hidden = !at.length;
    only.firstElementChild.textContent = `Only at ${at.map((place) => place || "the cloud as a whole").join(", ")}.`;
  }

  function chosen() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => index.verdicts.indexOf(box.value)));
    const kinds = index.kinds.map(([, , step]) => !layer.value || step === layer.value);
    const places = new Set(at), found = [];
    for (let number = 0; number < index.kind.length; number += 1) {
      if (!wanted.has(index.verdict[number]) || !kinds[index.kind[number]]) continue;
      if (places.size && !places.has(machine(number))) continue;
      const text = words.length ? index.text(number) : "";
      if (words.every((word) => text.includes(word))) found.push(number);
    }
    return found;
  }

  // What is checked of no machine, or in a case with instances of its own, stands with the cloud.
  function machine(number) {
    return index.kinds[index.kind[number]][3] ? index.places[index.place[number]] : "";
  }

  // Rows are numbered worst first, so that order needs no sorting.
  const BY = {
    check: (one, other) => index.kindRank[index.kind[one]] - index.kindRank[index.kind[other]] || one - other,
    place: (one, other) => index.placeRank[index.place[one]] - index.placeRank[index.place[other]] || one - other,
    time: (one, other) => index.ms[other] - index.ms[one] || one - other,
  };

  function draw() {
    order = chosen();
    if (BY[sort.value]) order.sort(BY[sort.value]);
    list.replaceChildren();
    shown = 0;
    show();
  }

  function update() {
    draw();
    remember();
  }

  // The address has the filter, so that it can be sent to somebody.
  function remember() {
    const words = new URLSearchParams();
    if (search.value) words.set("q", search.value);
    if (layer.value) words.set("layer", layer.value);
    if (sort.value !== "verdict") words.set("sort", sort.value);
    if (boxes.some((box) => !box.checked)) words.set("verdict", boxes.filter((box) => box.checked).map((box) => box.value).join());
    for (const place of at) words.append("at", place);
    if (serverSearch.value) words.set("server", serverSearch.value);
    const text = words.toString();
    if (text || location.hash.includes("?")) history.replaceState(null, "", text ? `#checks?${text}` : "#checks");
  }

  function recall() {
    const address = decoded(location.hash.slice(1)), question = location.hash.indexOf("?");
    if (address.startsWith("check:")) return open(address);
    if (!location.hash.startsWith("#checks?")) return undefined;
    const words = new URLSearchParams(location.hash.slice(question + 1)), verdicts = words.get("verdict");
    search.value = words.get("q") ?? "";
    layer.value = words.get("layer") ?? "";
    sort.value = words.get("sort") ?? "verdict";
    if (!sort.value) sort.value = "verdict";
    const wanted = (verdicts ?? "").split(",").filter((verdict) => boxes.some((box) => box.value === verdict));
    for (const box of boxes) box.checked = !wanted.length || wanted.includes(box.value);
    at = words.getAll("at").filter((place) => servers.some((row) => row.dataset.at === place));
    serverSearch.value = words.get("server") ?? "";
    filterServers();
    draw();
    return (words.size === 1 && serverSearch.value ? find("servers") : find("checks")).scrollIntoView();
  }

  // An address may have been cut or typed.
  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return "";
    }
  }

  function open(name) {
    let details = find(name);
    if (!details) {
      const number = index.kind.findIndex((kind, row) => anchor(row) === name);
      if (number < 0) return;
      clear();
      search.value = index.kinds[index.kind[number]][0];
      at = index.kinds[index.kind[number]][3] ? [index.places[index.place[number]]] : [];
      draw();
      while (!find(name) && shown < order.length) show();
      details = find(name);
    }
    details.open = true;
    details.scrollIntoView();
  }

  function clear() {
    search.value = "";
    layer.value = "";
    sort.value = "verdict";
    at = [];
    for (const box of boxes) box.checked = true;
  }

  function filterServers() {
    const words = serverSearch.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    servers.forEach((row, number) => {
      const fits = words.every((word) => serverText[number].includes(word));
      if (row.hidden === fits) row.hidden = !fits;
      count += fits;
    });
    serverStatus.textContent = words.length ? `${count.toLocaleString("en")} of ${servers.length.toLocaleString("en")} match` : "";
  }
  const serverText = servers.map((row) => `${row.textContent} ${row.dataset.also ?? ""}`.toLowerCase());

  function ranks(names) {
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    const sorted = names.map((name, number) => number).sort((one, other) => compare(names[one], names[other]));
    const rank = [];
    sorted.forEach((number, position) => { rank[number] = position; });
    return rank;
  }

  function prepare(found) {
    const kinds = found.kinds.map(([check, fact]) => `${check} ${fact}`.toLowerCase());
    const places = found.places.map((place) => place.toLowerCase());
    found.text = (number) => `${kinds[found.kind[number]]} ${places[found.place[number]]} ${(found.messages[number] || "").toLowerCase()}`;
    found.kindRank = ranks(found.kinds.map(([check]) => check));
    found.placeRank = ranks(found.places);
    return found;
  }

  list.addEventListener("toggle", (event) => {
    if (event.target.matches("details.check[open]")) fill(event.target);
  }, true);

  function follow(event) {
    const button = event.target.closest("button.copy");
    if (button) return void copy(button);
    const link = event.target.closest("[data-search], a[data-layer]");
    if (!link) return;
    clear();
    search.value = link.dataset.search ?? "";
    layer.value = link.dataset.layer ?? "";
    const server = link.closest("tr[data-at]");
    if (server) at = [server.dataset.at, ...(server.dataset.also ? server.dataset.also.split("\n") : [])];
    update();
    find("checks").scrollIntoView();
    event.preventDefault();
  }

  async function start() {
    index = prepare(await unpack("index"));
    order = index.kind.map((kind, number) => number);
    shown = list.childElementCount;
    tell();
    for (const tools of document.querySelectorAll(".tools")) {
      tools.hidden = false;
      tools.addEventListener("submit", (event) => event.preventDefault());
    }
    const soon = (act) => () => { clearTimeout(timer); timer = setTimeout(act, 80); };
    search.addEventListener("input", soon(update));
    serverSearch.addEventListener("input", () => { filterServers(); remember(); });
    for (const control of [layer, sort, ...boxes]) control.addEventListener("change", update);
    find("everywhere").addEventListener("click", () => { at = []; update(); });
    more.addEventListener("click", show);
    document.body.addEventListener("click", follow);
    addEventListener("hashchange", recall);
    offerCopies(document);
    recall();
    document.documentElement.dataset.ready = "";
  }
  start();
})();
