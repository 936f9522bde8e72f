// Uses the playground in Chromium and says what is wrong with it; scripts/play-test.sh starts it.
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [lab, shots] = process.argv.slice(2);
const WIDTHS = [380, 800, 1400];
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
// The longest that anything is waited for, on a machine with other work.
const PATIENCE = 30_000;
// The goal from press to first movement: measured, and no fault of the page on a machine with other work.
const GOAL = 100;

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);
const presses = [];
let violations = 0;

// The playground's process, with its address.
function start() {
  return new Promise((resolve, reject) => {
    const child = spawn(lab, ["play", "tokio", "threads"], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const found = text.match(/playground on (http:\/\/\S+)/);
      if (found) resolve({ child, url: found[1] });
    });
    child.on("exit", (code) => reject(new Error(`the playground ended with ${code}: ${text}`)));
  });
}

// The processes that a process has started, as the kernel tells them; its threads each tell their own.
function children(pid) {
  const tasks = fs.readdirSync(`/proc/${pid}/task`);
  return tasks.flatMap((task) => fs.readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean));
}

const runs = (pid) => {
  try {
    return !/^State:\s+[ZX]/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

// Has axe-core judge the page as it is now.
async function audit(page, where) {
  // The page's policy admits no script but its own; the browser's own tools may.
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of found.violations) {
    violations += 1;
    fault(where, `axe-core: ${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 90)).join(" | ")}`);
  }
}

// Looks for what leaves the page or its box.
async function look(page, where) {
  const said = await page.evaluate(() => {
    const said = [];
    if (document.documentElement.scrollWidth > innerWidth) said.push(`the page is ${document.documentElement.scrollWidth} px wide`);
    for (const element of document.body.querySelectorAll("*")) {
      if (element.closest(".scroll *, .rail *") || !element.checkVisibility()) continue;
      const box = element.getBoundingClientRect();
      if (box.right > innerWidth + 1) said.push(`<${element.tagName.toLowerCase()}> "${element.textContent.trim().slice(0, 40)}" sticks out`);
    }
    for (const scale of document.querySelectorAll(".scale")) {
      const labels = [...scale.children].filter(({ textContent }) => textContent).map((label) => label.getBoundingClientRect());
      for (let i = 1; i < labels.length; i++) if (labels[i].left < labels[i - 1].right + 2) said.push("labels of an axis touch");
    }
    return [...new Set(said)];
  });
  for (const what of said) fault(where, what);
}

const lane = (page, id) => page.locator(`.lane[data-id="${id}"]`);
const last = (page) => page.evaluate(() => Math.max(0, ...[...document.querySelectorAll(".lane")].map(({ dataset }) => Number(dataset.id))));

// Presses by `press`, and returns the new lane's number and the time to the first movement of a bar.
async function pressed(page, press) {
  await page.evaluate(() => {
    window.moved = null;
    const begin = (event) => {
      if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
      window.began ??= event.timeStamp;
    };
    window.began = null;
    for (const type of ["pointerdown", "keydown"]) addEventListener(type, begin, { capture: true });
    const known = new Set(document.querySelectorAll(".lane"));
    const watch = new MutationObserver(() => {
      const bars = [...document.querySelectorAll(".lane")].filter((lane) => !known.has(lane)).flatMap((lane) => [...lane.querySelectorAll(".bar")]);
      const moved = bars.find((bar) => Number.parseFloat(bar.style.width) > 0);
      if (moved) {
        window.lane = Number(moved.closest(".lane").dataset.id);
        window.moved = performance.now() - window.began;
        watch.disconnect();
      }
    });
    watch.observe(document.getElementById("lanes"), { subtree: true, childList: true, attributes: true });
  });
  await press();
  await page.waitForFunction(() => window.moved !== null, null, { timeout: PATIENCE });
  presses.push(await page.evaluate(() => window.moved));
  return page.evaluate(() => window.lane);
}

async function settled(page, id, kind, where) {
  try {
    await page.waitForFunction((id) => document.querySelector(`.lane[data-id="${id}"]`)?.dataset.settled === "true", id, { timeout: PATIENCE });
  } catch {
    return fault(where, `experiment ${id} never settles`);
  }
  const is = await lane(page, id).getAttribute("data-kind");
  if (is !== kind) fault(where, `the verdict is ${is}, and not ${kind}: ${await lane(page, id).textContent()}`);
}

// A link fills the form, runs nothing, and one press of Enter repeats the experiment.
async function byLink(page, url, where) {
  const link = "server=threads&style=drop&work=3000ms&deadline=200ms&leave=none";
  await page.goto(`${url}/#${link}`);
  await page.locator("#run:enabled").waitFor({ timeout: PATIENCE });
  const is = await page.evaluate(() => location.hash);
  if (is !== `#${link}`) fault(where, `the link became ${is}`);
  await page.waitForTimeout(100);
  if (await page.locator(".lane").count()) fault(where, "a link runs by itself");
  await audit(page, `${where}, nothing run`);
  const id = await pressed(page, () => page.locator("#run").click());
  await page.waitForFunction((id) => document.querySelector(`.lane[data-id="${id}"]`)?.dataset.kind === "zombie", id, { timeout: PATIENCE });
  const red = await lane(page, id).locator(".bar.zombie").evaluate((bar) => Number.parseFloat(bar.style.width));
  const early = await lane(page, id).getAttribute("data-settled");
  if (!(red > 0) || early !== "false") fault(where, "a zombie does not turn red while it runs");
  await page.screenshot({ path: path.join(shots, `${where.replace(/, | /g, "-")}-zombie.png`) });
  await settled(page, id, "zombie", where);
  const repeat = await lane(page, id).locator("a").getAttribute("href");
  if (repeat !== `#${link}`) fault(where, `an experiment's link is ${repeat}`);
  if (!(await page.locator("#excerpts mark").count())) fault(where, "no line of code is marked");
}

// Without a mouse: to a server, a style, a way to disconnect and the button, by Tab, arrows and Enter.
async function byKeyboard(page, where) {
  const tabTo = async (wanted) => {
    for (let count = 0; count < 80; count++) {
      await page.keyboard.press("Tab");
      const [is, ring] = await page.evaluate((wanted) => {
        const element = document.activeElement;
        const drawn = element.matches("fieldset input") ? element.closest("label") : element;
        return [element.matches(wanted), element === document.body || getComputedStyle(drawn).outlineStyle !== "none"];
      }, wanted);
      if (!ring) fault(where, `the focus before ${wanted} cannot be seen`);
      if (is) return;
    }
    fault(where, `Tab never reaches ${wanted}`);
  };
  const choose = async (name, value) => {
    await tabTo(`input[name=${name}]`);
    for (let count = 0; count < 12 && !(await page.locator(`input[name=${name}][value=${value}]`).isChecked()); count++)
      await page.keyboard.press("ArrowRight");
    if (!(await page.locator(`input[name=${name}][value=${value}]`).isChecked())) fault(where, `arrows do not reach ${value}`);
  };
  await page.evaluate(() => document.activeElement.blur());
  await page.evaluate(() => scrollTo(0, 0));
  await choose("server", "tokio");
  await choose("style", "context");
  for (const slider of ["#deadline", "#work"]) {
    await tabTo(slider);
    await page.keyboard.press("End");
  }
  await choose("leave", "none");
  await tabTo("#run");
  const id = await pressed(page, () => page.keyboard.press("Enter"));
  await tabTo(`.lane[data-id="${id}"] .kill`);
  await page.keyboard.press("Enter");
  await settled(page, id, "stopped", `${where}, by keyboard`);
  const facts = await lane(page, id).locator(".facts").first().textContent();
  if (!facts.includes("Request: rst at")) fault(where, `the killed client is told as "${facts}"`);
  const repeat = await lane(page, id).locator("a").getAttribute("href");
  if (!/leave=rst&after=\d+ms/.test(repeat)) fault(where, `the link of a killed client is ${repeat}`);
  const held = await page.evaluate(() => document.activeElement.matches(".kill"));
  if (!held) fault(where, "the focus is lost when the client has been killed");
}

// Each style that the page offers, and each way to disconnect, has its verdict.
async function everyChoice(page, where) {
  const wanted = {
    tokio: { context: "stopped", drop: "stopped", detached: "zombie", blocking: "zombie", polling: "stopped", spin: "late", permit: "stopped", process: "stopped", "process-unkilled": "zombie", upstream: "stopped" },
    threads: { context: "stopped", drop: "zombie", detached: "zombie", blocking: "zombie", polling: "stopped", spin: "zombie", permit: "stopped", process: "stopped", "process-unkilled": "zombie", upstream: "stopped" },
  };
  const go = async (server, style, leave, kind) => {
    const link = `server=${server}&style=${style}&work=600ms&deadline=${leave === "none" ? 100 : 3000}ms&leave=${leave}&after=100ms`;
    await page.evaluate((link) => (location.hash = link), link);
    await page.waitForFunction((leave) => document.querySelector("input[name=leave]:checked").value === leave, leave);
    const id = await pressed(page, () => page.locator("#run").click());
    await settled(page, id, kind, `${where}, ${server}, ${style}, ${leave}`);
  };
  for (const [server, styles] of Object.entries(wanted)) {
    for (const [style, kind] of Object.entries(styles)) await go(server, style, "none", kind);
    const offered = await page.locator("input[name=style]:enabled").evaluateAll((inputs) => inputs.map(({ value }) => value));
    for (const style of offered) if (!styles[style]) fault(where, `${server}, ${style} is offered, and not tried here`);
    for (const leave of ["fin", "rst", "half-close"]) await go(server, "context", leave, "stopped");
  }
  await page.evaluate(() => (location.hash = "server=tokio&style=drop&work=600ms&deadline=100ms&leave=none"));
  const both = await pressed(page, () => page.locator("#all").click());
  // The first server comes last, and so stands above the others.
  await settled(page, both, "zombie", `${where}, every server`);
  await settled(page, both + 1, "stopped", `${where}, every server`);
  const afresh = page.locator("td button").first();
  await afresh.click();
  await page.waitForFunction(() => !document.querySelector("td button:disabled"), null, { timeout: PATIENCE });
  if (!(await afresh.evaluate((button) => button === document.activeElement))) fault(where, "the focus is lost when a server starts afresh");
}

// A page of another site presses, listens and frames; nothing of it may come through.
async function elsewhere(context, url, page) {
  const where = "another site";
  const before = await last(page);
  const site = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<p>elsewhere</p>"));
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  const other = await context.newPage();
  await other.goto(`http://127.0.0.1:${site.address().port}/`);
  const got = await other.evaluate(async (url) => {
    const tried = [];
    const attempt = (name, act) => act().then((answer) => tried.push(`${name}: ${answer}`), () => {});
    const query = "server=tokio&style=context";
    await attempt("reads the page", () => fetch(`${url}/`).then((answer) => answer.text()));
    await attempt("reads an answer", () => fetch(`${url}/run?${query}`, { method: "POST" }).then((answer) => answer.status));
    await attempt("sends a header", () => fetch(`${url}/run?${query}`, { method: "POST", headers: { "X-Lab-Token": "0" } }).then((answer) => answer.status));
    await fetch(`${url}/run?${query}`, { method: "POST", mode: "no-cors" }).catch(() => {});
    await attempt("listens", () => new Promise((resolve, reject) => {
      const events = new EventSource(`${url}/events`);
      events.onopen = resolve;
      events.onerror = reject;
    }));
    const frame = Object.assign(document.createElement("iframe"), { src: `${url}/` });
    document.body.append(frame);
    await new Promise((resolve) => ((frame.onload = resolve), setTimeout(resolve, 1000)));
    return tried;
  }, url);
  for (const what of got) fault(where, what);
  const framed = other.frames().find((frame) => frame !== other.mainFrame());
  if (framed && (await framed.locator("#run").count().catch(() => 0))) fault(where, "shows the page in a frame");
  await page.waitForTimeout(200);
  if ((await last(page)) !== before) fault(where, "began an experiment");
  await other.close();
  site.close();
}

async function visit(browser, url, scheme, width) {
  const where = `${scheme}, ${width} px`;
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  // An interface that comes or goes on this machine cuts every connection of the browser: the page opens its stream again.
  const ofMachine = (text) => text.includes("ERR_NETWORK_CHANGED");
  page.on("console", (message) =>
    ["error", "warning"].includes(message.type()) && !ofMachine(message.text()) && fault(where, `logged: ${message.text()}`));
  page.on("pageerror", (error) => fault(where, `threw: ${error.message}`));
  page.on("request", (request) => request.url().startsWith(`${url}/`) || /^data:/.test(request.url()) || fault(where, `asked ${request.url()}`));
  await byLink(page, url, where);
  await byKeyboard(page, where);
  await look(page, where);
  await audit(page, `${where}, two run`);
  await page.screenshot({ path: path.join(shots, `${scheme}-${width}.png`), fullPage: true });
  if (scheme === "light" && width === 1400) {
    await everyChoice(page, where);
    await audit(page, `${where}, everything run`);
    await look(page, `${where}, everything run`);
    await page.screenshot({ path: path.join(shots, `${scheme}-${width}-everything.png`), fullPage: true });
    await elsewhere(context, url, page);
  }
  await context.close();
}

async function main() {
  fs.mkdirSync(shots, { recursive: true });
  const { child, url } = await start();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: FLAGS });
  try {
    for (const scheme of ["light", "dark"]) for (const width of WIDTHS) await visit(browser, url, scheme, width);
  } finally {
    await browser.close();
    const servers = children(child.pid);
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGINT");
    const code = await ended;
    const left = servers.filter(runs);
    if (code !== 130 || servers.length < 2 || left.length)
      fault("the end", `exit ${code}, ${left.length} of ${servers.length} processes are left`);
  }
  for (const line of faults) console.error(line);
  presses.sort((a, b) => a - b);
  const [median, most] = [presses[Math.floor(presses.length / 2)], presses.at(-1)].map(Math.round);
  console.log(`playground: ${presses.length} experiments pressed, ${violations} violations of axe-core's rules, ${faults.length} faults; screenshots in ${shots}`);
  console.log(`from press to first movement: ${median} ms (median), ${most} ms (longest); the goal is ${GOAL} ms`);
  process.exitCode = faults.length ? 1 : 0;
}

main().catch((error) => {
  for (const line of faults) console.error(line);
  console.error(error);
  process.exitCode = 2;
});
