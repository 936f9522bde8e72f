// What a cell of the matrix opens. All rows lie in this page as base64 of gzip of JSON; the first press unpacks them.
"use strict";

const card = document.getElementById("card");
let unpacked;

const rows = () => unpacked ??= (async () => {
  const bytes = Uint8Array.from(atob(document.getElementById("rows").textContent.trim()), (letter) => letter.charCodeAt(0));
  const all = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  // They are packed by scenario, and the cells number them by server.
  return all.sort((a, b) => a.number - b.number);
})();

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A button that leads to another card: `to` becomes its data attributes.
function link(text, to) {
  const button = element("button", { type: "button", textContent: text });
  Object.assign(button.dataset, to);
  return button;
}

const verdict = (row) => element("b", { className: row.class, textContent: row.verdict });
const GRADES = ["bad", "odd", "", "none", "good"];
const toArea = (row) => ({ server: row.server, area: row.id.split("/")[0] });

// Opens a card; its anchor becomes the page's, so that the address leads here again.
function show(title, anchor, ...content) {
  history.replaceState(null, "", anchor ? `#${anchor}` : location.pathname);
  const close = element("button", { type: "button", textContent: "close", onclick: () => card.close() });
  const heading = element("h3", { id: "card-title", textContent: title });
  const here = element("a", { href: `#${anchor}`, textContent: "link" });
  const bar = element("div", { className: "bar" }, heading, element("span", {}, ...(anchor ? [here, " "] : []), close));
  card.replaceChildren(element("div", { className: "inside" }, bar, ...content));
  if (!card.open) card.showModal();
  card.scrollTop = 0;
  close.focus();
}

function openArea(all, server, area) {
  // What failed stands first.
  const rows = all.filter((row) => row.server === server && toArea(row).area === area);
  rows.sort((a, b) => GRADES.indexOf(a.class) - GRADES.indexOf(b.class) || a.number - b.number);
  const items = rows.map((row) => element("li", {}, verdict(row), " ", link(row.id, { row: row.number }), ` ${row.promise}`));
  show(`${area} on ${server}`, `${server}:${area}`, element("ul", {}, ...items));
}

function openRow(all, number) {
  const row = all[number];
  const seen = element("p", { textContent: `Seen: ${row.observed}.` });
  if (row.expected) seen.append(element("span", { className: "soft", textContent: ` Expected: ${row.expected}.` }));
  const tries = `${row.attempts} ${row.attempts === 1 ? "try" : "tries"}, ${row.took_ms} ms.`;
  const cut = row.cut ? [`(${row.cut} more lines in results.json)`] : [];
  const lines = [...row.trace, ...cut];
  const trace = lines.length
    ? element("pre", { tabIndex: 0, ariaLabel: "What was sent and received", textContent: lines.join("\n") })
    : element("p", { className: "soft", textContent: "No trace was kept." });
  const others = element("p", { className: "others" }, "The same on ");
  all.forEach((other, index) => {
    if (other.id === row.id && index !== number)
      others.append(element("b", { className: other.class }, link(other.server, { row: index })), " ");
  });
  show(`${row.id} on ${row.server}`, `${row.server}:${row.id}`,
    element("p", {}, verdict(row), ` ${row.level}: ${row.promise}.`), seen,
    element("p", { className: "soft", textContent: tries }), trace,
    ...(others.children.length ? [others] : []),
    element("p", {}, "All of ", link(`${toArea(row).area} on ${row.server}`, toArea(row))));
}

document.addEventListener("click", async (event) => {
  const to = event.target.closest("button")?.dataset ?? {};
  if (event.target === card) return card.close();
  if (!to.row && !to.area) return;
  try {
    const all = await rows();
    if (to.row) openRow(all, Number(to.row));
    else openArea(all, to.server, to.area);
  } catch (error) {
    show("Nothing to show", "", `This browser cannot unpack the traces; they stand in results.json. (${error})`);
  }
});

card.addEventListener("close", () => history.replaceState(null, "", location.pathname));

// An address may end in the anchor of a cell, such as #tokio:work or #tokio:work/drop.
async function arrive() {
  const [server, what] = decodeURIComponent(location.hash.slice(1)).split(":");
  if (!what) return;
  const all = await rows();
  const number = all.findIndex((row) => row.server === server && row.id === what);
  if (number >= 0) openRow(all, number);
  else if (all.some((row) => row.server === server && toArea(row).area === what)) openArea(all, server, what);
}
addEventListener("hashchange", arrive);
arrive();
