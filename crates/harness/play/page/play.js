// The playground's page: sends what is chosen, and draws what the lab tells. It computes no verdict and moves no bar by itself.
"use strict";

const token = document.querySelector("meta[name=token]").content;
const form = document.getElementById("controls");
const byId = (id) => document.getElementById(id);
const LANES = 16;

let stands = { servers: [], styles: [] };
const lanes = new Map();
const usage = new Map();

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};
const time = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(ms % 1000 ? 2 : 0)} s` : `${Math.round(ms * 10) / 10} ms`);
const mib = (bytes) => `${(bytes / 1048576).toFixed(1)} MiB`;

async function ask(method, path, parameters) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`, { method, headers: { "X-Lab-Token": token } });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `the lab answered ${answer.status}`);
  return answer;
}

// ---- the choice

const chosen = () => {
  const data = new FormData(form);
  const server = stands.servers.find(({ name }) => name === data.get("server"));
  const parameters = { server: server?.name ?? "", style: data.get("style") ?? "context", work: `${byId("work").value}ms` };
  parameters.deadline = server?.takes_deadline === false ? "own" : `${byId("deadline").value}ms`;
  parameters.leave = data.get("leave");
  if (parameters.leave !== "none") parameters.after = `${byId("after").value}ms`;
  return parameters;
};

function radios(box, name, choices) {
  for (const { name: value, about } of choices) {
    const input = make("input", { type: "radio", name, value });
    box.append(make("label", { title: about }, input, ` ${value}`));
  }
}

// Shows what the choice means, and keeps the address bar's link at it.
function changed() {
  const { server: name, style } = chosen();
  const server = stands.servers.find((server) => server.name === name);
  for (const input of form.elements.style ? byId("styles").querySelectorAll("input") : []) {
    input.disabled = Boolean(server) && !server.styles.includes(input.value);
    if (input.disabled && input.checked) {
      byId("styles").querySelector("input:not(:disabled)").checked = true;
      return changed();
    }
  }
  const about = stands.styles.find((known) => known.name === style)?.about;
  byId("about").textContent = server ? `${server.name}: ${server.about}. Work of style ${style} ${about}.` : "";
  for (const id of ["deadline", "work", "after"]) byId(`${id}-is`).value = time(Number(byId(id).value));
  byId("deadline").disabled = server?.takes_deadline === false;
  if (byId("deadline").disabled) byId("deadline-is").value = "the server's own";
  byId("leaving").hidden = form.elements.leave.value === "none";
  history.replaceState(null, "", `#${new URLSearchParams(chosen())}`);
  code();
}

// Takes the choice from a link. It runs nothing: another site may link here, and only a person presses.
function follow(hash) {
  const link = new URLSearchParams(hash.replace(/^#/, ""));
  for (const name of ["server", "style", "leave"]) {
    const input = [...form.querySelectorAll(`input[name=${name}]`)].find((input) => input.value === link.get(name));
    if (input) input.checked = true;
  }
  for (const name of ["deadline", "work", "after"]) {
    const value = Number.parseInt(link.get(name), 10);
    if (Number.isFinite(value)) byId(name).value = value;
  }
  changed();
}

async function run(parameters) {
  try {
    await ask("POST", "/run", parameters);
  } catch (error) {
    const id = `refused-${performance.now()}`;
    begin({ id, ...parameters, work_ms: 0, link: new URLSearchParams(parameters), command: "" });
    judge({ id, kind: "failed", says: `${error.message}.`, settled: true });
  }
}

// On a narrow page the picture is below the buttons: what was pressed is brought into sight.
function reveal() {
  const stage = byId("stage");
  if (stage.getBoundingClientRect().top > innerHeight * 0.7) stage.scrollIntoView();
}

// ---- the lanes

function begin(told) {
  if (lanes.has(told.id)) return;
  const lane = { told, until: Math.max(told.work_ms, told.deadline_ms ?? 0, told.after_ms ?? 0) * 1.08 || 1, settled: false };
  const asked = [`work ${time(told.work_ms)}`, told.deadline_ms ? `deadline ${time(told.deadline_ms)}` : "no deadline of the client's"];
  if (told.leave !== "none") asked.push(`client: ${told.leave}${told.after_ms == null ? "" : ` after ${time(told.after_ms)}`}`);
  const bar = (kind) => make("div", { className: `bar ${kind}` });
  lane.bars = { request: bar("request"), work: bar("work"), zombie: bar("zombie") };
  lane.marks = [0, 1].map(() => make("div", { className: "mark", hidden: !told.deadline_ms }));
  lane.scale = make("div", { className: "scale" });
  lane.facts = make("p", { className: "facts" });
  lane.used = make("p", { className: "facts used" });
  lane.verdict = make("p", { className: "verdict", ariaLive: "polite" });
  lane.kill = make("button", { type: "button", className: "kill", textContent: "Kill the client" });
  lane.kill.addEventListener("click", () => kill(lane));
  const again = make("button", { type: "button", textContent: "Run again" });
  again.addEventListener("click", () => run(Object.fromEntries(new URLSearchParams(told.link))));
  lane.link = make("a", { href: `#${told.link}`, textContent: "Link to this experiment" });
  lane.command = make("code", { textContent: told.command });
  lane.rails = make("div", { className: "rails", role: "img", ariaLabel: "The request has begun." },
    make("span", { textContent: "request" }), make("div", { className: "rail" }, lane.bars.request, lane.marks[0]),
    make("span", { textContent: "work" }), make("div", { className: "rail" }, lane.bars.work, lane.bars.zombie, lane.marks[1]),
    make("span"), lane.scale);
  lane.box = make("article", { className: "lane" },
    make("div", { className: "head" },
      make("h3", { textContent: `${told.server} · ${told.style}` }), make("span", { className: "asked", textContent: asked.join(", ") })),
    lane.rails, lane.facts, lane.used, lane.verdict,
    make("div", { className: "do" }, lane.kill, again, lane.link, lane.command));
  lane.box.dataset.id = told.id;
  lane.before = usage.get(told.server)?.now;
  lanes.set(told.id, lane);
  byId("lanes").prepend(lane.box);
  byId("empty").hidden = true;
  scale(lane);
  for (const [id, old] of [...lanes].slice(0, -LANES)) {
    if (!old.settled) continue;
    old.box.remove();
    lanes.delete(id);
  }
}

const percent = (lane, ms) => `${Math.min(100, (100 * ms) / lane.until)}%`;

// Draws the axis: from zero to the end, by a round step.
function scale(lane) {
  const step = [50, 100, 250, 500, 1000, 2000, 5000].find((step) => lane.until / step <= 5) ?? 10000;
  const labels = [];
  for (let at = 0; at < lane.until * 0.9; at += step) labels.push(at);
  lane.scale.replaceChildren(...labels.map((at) => {
    const label = make("span", { textContent: time(at) });
    label.style.left = percent(lane, at);
    return label;
  }), make("span", { textContent: "" }));
  for (const mark of lane.marks) mark.style.left = percent(lane, lane.told.deadline_ms ?? 0);
}

function move(event) {
  const lane = lanes.get(event.id);
  if (!lane) return;
  const { at, over, began, last, beats, vain, ended } = event;
  const end = Math.max(ended?.at ?? 0, last ?? began ?? 0);
  if (Math.max(over?.at ?? at, end) > lane.until) {
    lane.until = Math.max(over?.at ?? at, end) * 1.25;
    scale(lane);
  }
  const { request, work, zombie } = lane.bars;
  request.style.width = percent(lane, over?.at ?? at);
  if (began != null) {
    const turned = lane.box.dataset.kind === "zombie" && over;
    work.style.left = percent(lane, began);
    work.style.width = percent(lane, Math.max(0, (turned ? Math.min(over.at, end) : end) - began));
    zombie.style.left = percent(lane, over?.at ?? 0);
    zombie.style.width = turned ? percent(lane, Math.max(0, end - over.at)) : "0";
  }
  const client = over ? `Request: ${over.how} at ${time(over.at)}` : `Request: ${time(at)}, no answer yet`;
  const units = `${beats} ${beats === 1 ? "unit" : "units"}${vain ? `, ${vain} of them after the request` : ""}`;
  const doing = ended ? `${ended.how} at ${time(ended.at)}` : "under way";
  lane.facts.textContent = `${client}. ${began == null ? "Work: not begun" : `Work: ${units}, ${doing}`}.`;
  if (over) lane.kill.ariaDisabled = "true";
  if (over && lane.killed) repeat(lane, Math.round(over.at));
  lane.rails.ariaLabel = lane.facts.textContent;
  lane.moved = event;
}

function judge({ id, kind, says, settled }) {
  const lane = lanes.get(id);
  if (!lane) return;
  lane.box.dataset.kind = kind;
  lane.settled = settled;
  if (settled) lane.kill.ariaDisabled = "true";
  lane.verdict.replaceChildren(make("b", { textContent: kind }), ` ${settled || kind !== "zombie" ? says : "The request has ended, and its work goes on."}`);
  lane.box.dataset.settled = settled;
  if (lane.moved) move(lane.moved);
}

// A client that a person killed disconnects at the same time when its experiment is repeated.
function repeat(lane, after) {
  lane.killed = false;
  const link = new URLSearchParams(lane.told.link);
  link.set("leave", "rst");
  link.set("after", `${after}ms`);
  lane.told.link = String(link);
  lane.link.href = `#${link}`;
  lane.command.textContent = `${lane.told.command.replace(/ --leave.*/, "")} --leave rst --after ${after}ms`;
}

async function kill(lane) {
  if (lane.kill.ariaDisabled === "true") return;
  lane.kill.ariaDisabled = "true";
  lane.killed = true;
  await ask("POST", "/leave", { id: lane.told.id, way: "rst" }).catch(() => {});
}

// ---- the processes

function used(event) {
  const { server } = event;
  if (!usage.has(server)) usage.set(server, { first: event, ...row(server) });
  const entry = usage.get(server);
  entry.per = entry.now && event.at > entry.now.at ? (event.cpu - entry.now.cpu) / (event.at - entry.now.at) : 0;
  entry.now = event;
  const change = (now, first, show = String) => (show(now) === show(first) ? show(now) : `${show(now)} (${now > first ? "+" : "−"}${show(Math.abs(now - first))})`);
  const { first, cells } = entry;
  cells[0].textContent = change(event.threads, first.threads);
  cells[1].textContent = change(event.descriptors, first.descriptors);
  cells[2].textContent = mib(event.memory);
  cells[3].textContent = `${Math.round(100 * entry.per)} %`;
  cells[4].textContent = event.zombies ?? "not told";
  cells[4].className = event.zombies ? "zombie" : "";
  for (const lane of lanes.values()) {
    if (lane.told.server !== server || (lane.settled && lane.last)) continue;
    lane.before ??= event;
    lane.last = lane.settled;
    lane.used.textContent = `Process: ${change(event.threads, lane.before.threads)} threads, ${change(event.descriptors, lane.before.descriptors)} descriptors, ${change(event.memory, lane.before.memory, mib)}.`;
  }
}

function row(server) {
  const cells = [0, 1, 2, 3, 4].map(() => make("td"));
  const afresh = make("button", { type: "button", textContent: "Start afresh", ariaLabel: `Start afresh: ${server}` });
  afresh.addEventListener("click", async () => {
    afresh.disabled = true;
    await ask("POST", "/restart", { server }).catch((error) => alert(error.message));
    afresh.disabled = false;
    afresh.focus();
  });
  byId("usage").append(make("tr", {}, make("th", { scope: "row", textContent: server }), ...cells, make("td", {}, afresh)));
  return { cells };
}

// ---- the code

let shown = "";

async function code() {
  const { server, style, leave } = chosen();
  const wanted = JSON.stringify([server, style, leave === "none"]);
  if (wanted === shown || !server) return;
  shown = wanted;
  const excerpts = await ask("GET", "/code", { server, style, leave }).then((answer) => answer.json(), () => []);
  if (wanted !== shown) return;
  byId("code-title").textContent = `Code of ${server}, style ${style}`;
  byId("code").hidden = !excerpts.length;
  byId("excerpts").replaceChildren(...excerpts.map(({ path, first, lines }) => {
    const body = make("pre");
    for (const { text, marked } of lines) {
      const line = make(marked ? "mark" : "span", { textContent: text || " " });
      if (/^\s*(\/\/|#)/.test(text)) line.className = "comment";
      // A line that is wrapped hangs behind its own indentation.
      line.style.setProperty("--indent", text.match(/^\s*/)[0].replaceAll("\t", "    ").length);
      body.append(line);
    }
    return make("figure", {}, make("figcaption", {}, make("code", { textContent: `${path}:${first}` })), body);
  }));
}

// ---- the beginning

function open(event) {
  stands = event;
  for (const { told: { id }, settled } of lanes.values()) {
    if (!settled && !event.running.includes(id)) judge({ id, kind: "failed", says: "It ended while this page was not connected.", settled: true });
  }
  if (byId("servers").querySelector("input")) return;
  radios(byId("servers"), "server", stands.servers);
  radios(byId("styles"), "style", stands.styles.filter(({ name }) => stands.servers.some(({ styles }) => styles.includes(name))));
  for (const box of ["servers", "styles"]) byId(box).querySelector("input").checked = true;
  byId("run").disabled = byId("all").disabled = false;
  follow(location.hash);
}

form.addEventListener("input", changed);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  reveal();
  run(chosen());
});
byId("all").addEventListener("click", async () => {
  reveal();
  const parameters = chosen();
  for (const { name, styles, takes_deadline } of [...stands.servers].reverse()) {
    if (styles.includes(parameters.style)) await run({ ...parameters, server: name, deadline: takes_deadline ? `${byId("deadline").value}ms` : "own" });
  }
});
addEventListener("hashchange", () => follow(location.hash));

const events = new EventSource(`/events?${new URLSearchParams({ token })}`);
const on = (name, act) => events.addEventListener(name, (event) => act(JSON.parse(event.data)));
on("stands", open);
on("began", begin);
on("moved", move);
on("judged", judge);
on("failed", ({ id, says }) => judge({ id, kind: "failed", says: `${says}.`, settled: true }));
on("usage", used);
events.onopen = () => (byId("lost").hidden = true);
events.onerror = () => (byId("lost").hidden = false);
