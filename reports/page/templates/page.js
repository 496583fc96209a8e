"use strict";
// Sorts, filters and unfolds the checks. Names come from the index as text; details are HTML that was escaped when made.
(() => {
  const PAGE = {{ static_rows }}, CHUNK = {{ rows_per_chunk }};
  const find = (id) => document.getElementById(id);
  const list = find("rows"), more = find("more"), status = find("status");
  const search = find("search"), layer = find("layer"), sort = find("sort");
  const boxes = [...document.querySelectorAll("input[name=verdict]")];
  const chunks = new Map();
  let index = null, order = [], shown = 0, timer = 0;

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

  function span(className, text) {
    const made = document.createElement("span");
    made.className = className;
    made.textContent = text;
    return made;
  }

  function row(number) {
    const [check, fact] = index.kinds[index.kind[number]];
    const verdict = index.verdicts[index.verdict[number]];
    const item = document.createElement("li"), details = document.createElement("details");
    details.className = "check";
    details.dataset.row = number;
    const summary = document.createElement("summary"), detail = document.createElement("div");
    summary.append(
      span(`mark ${verdict.replace(" ", "_")}`, verdict), span("id", check), span("place", index.places[index.place[number]]),
      span("time", `${(index.ms[number] / 1000).toFixed(2)} s`), span("fact", index.messages[number] || fact));
    detail.className = "detail";
    details.append(summary, detail);
    item.append(details);
    return item;
  }

  async function fill(details) {
    if ("ready" in details.dataset) return;
    details.dataset.ready = "";
    const number = Number(details.dataset.row), found = await chunk(Math.floor(number / CHUNK));
    const detail = details.querySelector(".detail");
    if (found) detail.innerHTML = found[number % CHUNK];
    else detail.textContent = "To keep this page small, this check's detail is only in records.jsonl.";
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
  }

  function chosen() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => index.verdicts.indexOf(box.value)));
    const kinds = index.kinds.map(([check]) => !layer.value || check.split(".")[0] === layer.value);
    const found = [];
    for (let number = 0; number < index.kind.length; number += 1) {
      if (!wanted.has(index.verdict[number]) || !kinds[index.kind[number]]) continue;
      const text = words.length ? index.text(number) : "";
      if (words.every((word) => text.includes(word))) found.push(number);
    }
    return found;
  }

  // Rows are numbered worst first, so that order needs no sorting.
  const BY = {
    check: (one, other) => index.kindRank[index.kind[one]] - index.kindRank[index.kind[other]] || one - other,
    place: (one, other) => index.placeRank[index.place[one]] - index.placeRank[index.place[other]] || one - other,
    time: (one, other) => index.ms[other] - index.ms[one] || one - other,
  };

  function update() {
    order = chosen();
    if (BY[sort.value]) order.sort(BY[sort.value]);
    list.replaceChildren();
    shown = 0;
    show();
  }

  function ranks(names) {
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    const sorted = names.map((name, number) => number).sort((one, other) => compare(names[one], names[other]));
    const rank = [];
    sorted.forEach((number, position) => { rank[number] = position; });
    return rank;
  }

  function prepare(found) {
    const kinds = found.kinds.map((words) => words.join(" ").toLowerCase());
    const places = found.places.map((place) => place.toLowerCase());
    found.text = (number) => `${kinds[found.kind[number]]} ${places[found.place[number]]} ${(found.messages[number] || "").toLowerCase()}`;
    found.kindRank = ranks(found.kinds.map(([check]) => check));
    found.placeRank = ranks(found.places);
    return found;
  }

  list.addEventListener("toggle", (event) => {
    if (event.target.matches("details.check[open]")) fill(event.target);
  }, true);

  async function start() {
    index = prepare(await unpack("index"));
    order = index.kind.map((kind, number) => number);
    shown = list.childElementCount;
    tell();
    document.querySelector(".tools").hidden = false;
    document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());
    search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(update, 80); });
    for (const control of [layer, sort, ...boxes]) control.addEventListener("change", update);
    more.addEventListener("click", show);
    document.body.addEventListener("click", (event) => {
      const link = event.target.closest("[data-search]");
      if (!link) return;
      search.value = link.dataset.search;
      layer.value = "";
      for (const box of boxes) box.checked = true;
      update();
    });
    document.documentElement.dataset.ready = "";
  }
  start();
})();
