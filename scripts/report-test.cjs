// Uses a report in Chromium and says what is wrong with it; scripts/report-test.sh starts it.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [report, shots, profile] = process.argv.slice(2);
const WIDTHS = [380, 800, 1400];
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const LARGEST = 3_000_000;
const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);
let violations = 0;
let audits = 0;

// Has axe-core judge the page as it is now.
async function audit(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  audits += 1;
  for (const { id, help, nodes } of found.violations) {
    violations += 1;
    fault(where, `axe-core: ${id}: ${help}: ${nodes.slice(0, 5).map(({ html }) => html.slice(0, 120)).join(" | ")}`);
  }
}

// Runs inside the page: texts that overlap, texts that leave their picture, elements that leave the page.
function look() {
  const said = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const name = (text) => `"${text.trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  const clip = (box, element) => {
    const scroller = element.closest(".scroll, pre, dialog");
    if (!scroller) return box;
    const outer = scroller.getBoundingClientRect();
    return {
      left: Math.max(box.left, outer.left), right: Math.min(box.right, outer.right),
      top: Math.max(box.top, outer.top), bottom: Math.min(box.bottom, outer.bottom),
    };
  };
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("title, desc, style") || !shown(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      const box = clip(rect, parent);
      if (box.right - box.left > 1 && box.bottom - box.top > 1) boxes.push({ ...box, parent, text: node.data,
        left: box.left, right: box.right, top: box.top, bottom: box.bottom });
    }
    const svg = parent.closest("svg");
    if (svg) {
      const [inner, outer] = [parent.getBoundingClientRect(), svg.getBoundingClientRect()];
      if (inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.bottom > outer.bottom + 1 || inner.top < outer.top - 1)
        said.push(`${name(node.data)} leaves its picture`);
      // What is meant to stand in a bar says so, and the band of noise is pale.
      for (const bar of parent.matches(".inside") ? [] : svg.querySelectorAll("rect:not(.noise)")) {
        const box = bar.getBoundingClientRect();
        const [wide, high] = [Math.min(inner.right, box.right) - Math.max(inner.left, box.left),
          Math.min(inner.bottom, box.bottom) - Math.max(inner.top, box.top)];
        if (wide > 1.5 && high > 2.5) said.push(`${name(node.data)} and a bar lie on each other`);
      }
    }
  }
  boxes.sort((a, b) => a.top - b.top);
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom - 2.5; j++) {
      const [a, b] = [boxes[i], boxes[j]];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      // What lies under an open card is covered on purpose.
      const alike = !a.parent.closest("dialog") === !b.parent.closest("dialog");
      if (wide > 1.5 && a.parent !== b.parent && alike)
        said.push(`${name(a.text)} overlaps ${name(b.text)}`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth)
    said.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("svg *, .scroll *, dialog, pre *") || !shown(element)) continue;
    if (element.getBoundingClientRect().right > innerWidth + 1)
      said.push(`<${element.tagName.toLowerCase()}> ${name(element.textContent)} sticks out to the right`);
  }
  return [...new Set(said)];
}

// Every kind of cell opens a card by mouse and by keyboard, the card can be used by keyboard, and closes.
async function press(page, where) {
  const cells = page.locator("td button:visible");
  if (!(await cells.count())) return fault(where, "the matrix has no cell to press");
  const card = page.locator("dialog#card");
  const open = async (how) => {
    try {
      await card.waitFor({ state: "visible", timeout: 5000 });
    } catch {
      fault(where, `${how} opens nothing`);
    }
  };
  await cells.first().click();
  await open("a click on a cell");
  await page.keyboard.press("Escape");
  if (await card.isVisible()) fault(where, "Escape does not close what a cell opened");
  await cells.first().focus();
  await page.keyboard.press("Enter");
  await open("Enter on a cell");
  await page.keyboard.press("Tab");
  const inside = await card.evaluate((element) => element.contains(document.activeElement));
  if (!inside) fault(where, "Tab does not lead into what a cell opened");
  await card.locator("li button").first().click();
  const heading = await card.locator("h3").textContent();
  if (!heading.includes("/")) fault(where, `a scenario in a card opens "${heading}"`);
  const box = await card.boundingBox();
  if (box.x < 0 || box.x + box.width > page.viewportSize().width + 1) fault(where, "what a cell opened sticks out");
}

// What failed stands first in an area's list, and the anchor of a cell opens its card.
async function anchors(page, where) {
  const card = page.locator("dialog#card");
  for (const area of await page.locator("td button[data-area]").all()) {
    const tone = await area.evaluate((button) => button.closest("td").className);
    if (!/bad|odd/.test(tone)) continue;
    const anchor = await area.evaluate((button) => button.closest("td").id);
    await page.evaluate((anchor) => { location.hash = anchor; }, anchor);
    try {
      await card.waitFor({ state: "visible", timeout: 5000 });
    } catch {
      return fault(where, `#${anchor} opens nothing`);
    }
    const first = await card.locator("li b").first().getAttribute("class");
    if (!tone.includes(first)) fault(where, `the first of ${anchor} is ${first}, and the worst is ${tone}`);
    await page.keyboard.press("Escape");
    // The anchor has scrolled its table.
    await page.evaluate(() => document.querySelectorAll(".scroll").forEach((scroller) => scroller.scrollTo(0, 0)));
    break;
  }
  for (const link of await page.locator("nav a").all()) {
    const to = (await link.getAttribute("href")).slice(1);
    const found = await page.evaluate((to) => Boolean(document.getElementById(to)), to);
    if (!found) fault(where, `the link #${to} leads nowhere`);
  }
}

// The first picture is in sight without scrolling, and the filter hides a server everywhere and shows it again.
async function begin(page, where) {
  const picture = page.locator("#opening-title");
  if (await picture.count()) {
    const { bottom } = await picture.evaluate((title) => {
      const { bottom } = title.closest("svg").getBoundingClientRect();
      return { bottom };
    });
    if (page.viewportSize().width >= 1400 && bottom > page.viewportSize().height) fault(where, `the first picture ends at ${bottom}`);
  }
  const box = page.locator("#filter input").first();
  if (!(await box.count())) return;
  const name = await box.getAttribute("value");
  const seen = () => page.evaluate((name) => [...document.querySelectorAll("thead th, tbody th, svg .name")].filter((element) =>
    element.firstChild?.textContent.trim() === name && element.getClientRects().length && element.closest("#reference ~ *")).length, name);
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => {
    details.toggleAttribute("data-was", details.open);
    details.open = true;
  }));
  const before = await seen();
  await box.focus();
  await page.keyboard.press("Space");
  const [hidden, others] = [await seen(), await page.locator("td:visible").count()];
  if (!before || hidden || !others) fault(where, `the filter leaves ${hidden} of ${before} places of ${name}, and ${others} other cells`);
  await page.locator("#filter button").click();
  if ((await seen()) !== before) fault(where, `"show all" does not show ${name} again`);
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = details.hasAttribute("data-was"))));
}

// Every single cell has behind it what it says.
async function behind(page, where) {
  const said = await page.evaluate(async () => {
    const said = [];
    const all = await rows();
    for (const { dataset, textContent } of document.querySelectorAll("td button")) {
      if (dataset.row) {
        const row = all[Number(dataset.row)];
        if (row?.verdict !== textContent) said.push(`the cell of row ${dataset.row} says ${textContent}, and its row ${row?.verdict}`);
      } else if (!all.some((row) => row.server === dataset.server && row.id.startsWith(`${dataset.area}/`))) {
        said.push(`nothing is behind ${dataset.area} on ${dataset.server}`);
      }
    }
    return said;
  });
  for (const what of said) fault(where, what);
}

// Everything that can be used is reached by Tab and shows where the focus is.
async function tab(page, where) {
  const usable = await page.locator("a[href]:visible, input:visible, button:visible, summary:visible, [tabindex='0']:visible").count();
  await page.evaluate(() => document.activeElement.blur());
  for (let count = 0; count < usable; count++) {
    await page.keyboard.press("Tab");
    const [tag, ring] = await page.evaluate(() => {
      const element = document.activeElement;
      element.dataset.reached = "";
      return [element.tagName, element === document.body || getComputedStyle(element).outlineStyle !== "none"];
    });
    if (!ring) fault(where, `the focus on <${tag.toLowerCase()}> cannot be seen`);
  }
  const missed = await page.locator(":is(a[href], input, button, summary, [tabindex='0']):not([data-reached]):visible").count();
  if (missed) fault(where, `Tab never reaches ${missed} of ${usable} things to use`);
}

async function names(page, where) {
  const bare = await page.evaluate(() => [
    ...[...document.querySelectorAll("svg:not([aria-hidden])")].filter((svg) =>
      svg.getAttribute("role") !== "img" || !svg.querySelector("title")?.textContent || !svg.querySelector("desc")?.textContent),
    ...[...document.querySelectorAll("table")].filter((table) => !table.caption),
    ...[...document.querySelectorAll("[id]")].filter((element) => document.querySelectorAll(`[id="${element.id}"]`).length > 1),
  ].map((element) => `<${element.tagName}> ${element.id}`));
  for (const element of bare) fault(where, `${element} has no name, no description, or not the only one`);
}

// On paper the page is light, and nothing is cut off at the side.
async function print(page, where) {
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await page.setViewportSize({ width: 690, height: 900 });
  const [paper, wide] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor,
    [...document.querySelectorAll("table, figure")].filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1).length]);
  if (paper !== "rgb(255, 255, 255)") fault(where, `paper is ${paper}`);
  if (wide) fault(where, `on paper ${wide} tables or pictures are cut off`);
  await page.pdf({ path: path.join(shots, "report.pdf"), format: "A4" });
}

async function visit(context, scheme, width) {
  const where = `${scheme}, ${width} px`;
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && fault(where, `logged: ${message.text()}`));
  page.on("pageerror", (error) => fault(where, `threw: ${error.message}`));
  page.on("request", (request) => /^(file|data):/.test(request.url()) || fault(where, `asked the network for ${request.url()}`));
  await page.emulateMedia({ colorScheme: scheme });
  await page.setViewportSize({ width, height: 900 });
  await page.goto(`file://${path.resolve(report)}`);
  const shoot = (what) => page.screenshot({ path: path.join(shots, `${scheme}-${width}${what}.png`), fullPage: what === "" });
  await shoot("");
  if (width === 1400) await page.screenshot({ path: path.join(shots, `${scheme}-${width}-first.png`) });
  await audit(page, where);
  for (const what of await page.evaluate(look)) fault(where, what);
  await names(page, where);
  await tab(page, where);
  await begin(page, where);
  const cells = await page.locator("td button").count();
  if (cells) {
    await press(page, where);
    await shoot("-cell");
    for (const what of await page.evaluate(look)) fault(`${where}, a card open`, what);
    await audit(page, `${where}, a card open`);
    await page.keyboard.press("Escape");
    await behind(page, where);
    await anchors(page, where);
  }
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  for (const what of await page.evaluate(look)) fault(`${where}, everything open`, what);
  await audit(page, `${where}, everything open`);
  if (scheme === "dark" && width === 1400) await print(page, where);
  await page.close();
  return cells;
}

async function main() {
  fs.mkdirSync(shots, { recursive: true });
  const bytes = fs.statSync(report).size;
  if (bytes > LARGEST) fault("size", `${bytes} bytes are more than ${LARGEST}`);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM, headless: true, args: FLAGS,
  });
  let cells = 0;
  for (const scheme of ["light", "dark"]) for (const width of WIDTHS) cells = await visit(context, scheme, width);
  await context.close();
  for (const line of faults) console.error(line);
  const visits = 2 * WIDTHS.length;
  console.log(`${report}: ${bytes} bytes, ${visits} visits, ${cells} cells, ${audits} audits by axe-core with ${violations} violations, ${faults.length} faults; screenshots in ${shots}`);
  process.exitCode = faults.length ? 1 : 0;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 2;
});
