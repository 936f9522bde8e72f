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

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);

// Runs inside the page: texts that overlap, texts that leave their picture, elements that leave the page.
function look() {
  const said = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const name = (text) => `"${text.trim().replace(/\s+/g, " ").slice(0, 40)}"`;
  const clip = (box, element) => {
    const scroller = element.closest(".scroll, pre");
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
    }
  }
  boxes.sort((a, b) => a.top - b.top);
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom - 2.5; j++) {
      const [a, b] = [boxes[i], boxes[j]];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (wide > 1.5 && a.parent !== b.parent && !a.parent.closest("[popover]") && !b.parent.closest("[popover]"))
        said.push(`${name(a.text)} overlaps ${name(b.text)}`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth)
    said.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest("svg *, .scroll *, [popover], pre *") || !shown(element)) continue;
    if (element.getBoundingClientRect().right > innerWidth + 1)
      said.push(`<${element.tagName.toLowerCase()}> ${name(element.textContent)} sticks out to the right`);
  }
  return [...new Set(said)];
}

async function press(page, where) {
  const cell = page.locator("td button[popovertarget]").first();
  if (!(await cell.count())) return fault(where, "the matrix has no cell to press");
  const popover = page.locator(`#${await cell.getAttribute("popovertarget")}`);
  await cell.click();
  if (!(await popover.isVisible())) fault(where, "a click on a cell opens nothing");
  await page.keyboard.press("Escape");
  if (await popover.isVisible()) fault(where, "Escape does not close what a cell opened");
  await cell.focus();
  await page.keyboard.press("Enter");
  if (!(await popover.isVisible())) fault(where, "Enter on a cell opens nothing");
  await page.keyboard.press("Tab");
  const inside = await popover.evaluate((element) => element.contains(document.activeElement));
  if (!inside) fault(where, "Tab does not lead into what a cell opened");
  const box = await popover.boundingBox();
  if (box.x < 0 || box.x + box.width > page.viewportSize().width + 1) fault(where, "what a cell opened sticks out");
  return popover;
}

// Everything that can be used is reached by Tab and shows where the focus is.
async function tab(page, where) {
  const reached = new Set();
  await page.evaluate(() => document.activeElement.blur());
  for (let count = 0; count < 40; count++) {
    await page.keyboard.press("Tab");
    const [tag, ring] = await page.evaluate(() => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      return [element.tagName, element === document.body || style.outlineStyle !== "none"];
    });
    if (!ring) fault(where, `the focus on <${tag.toLowerCase()}> cannot be seen`);
    reached.add(tag);
  }
  for (const tag of ["BUTTON", "SUMMARY"])
    if (!reached.has(tag) && (await page.locator(tag).count())) fault(where, `Tab never reaches a <${tag.toLowerCase()}>`);
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
  for (const what of await page.evaluate(look)) fault(where, what);
  await names(page, where);
  await tab(page, where);
  const popover = await press(page, where);
  await shoot("-cell");
  if (popover) await page.keyboard.press("Escape");
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  for (const what of await page.evaluate(look)) fault(`${where}, everything open`, what);
  await page.close();
}

async function main() {
  fs.mkdirSync(shots, { recursive: true });
  const bytes = fs.statSync(report).size;
  if (bytes > LARGEST) fault("size", `${bytes} bytes are more than ${LARGEST}`);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM, headless: true, args: FLAGS,
  });
  for (const scheme of ["light", "dark"]) for (const width of WIDTHS) await visit(context, scheme, width);
  await context.close();
  for (const line of faults) console.error(line);
  const visits = 2 * WIDTHS.length;
  console.log(`${report}: ${bytes} bytes, ${visits} visits, ${faults.length} faults; screenshots in ${shots}`);
  process.exitCode = faults.length ? 1 : 0;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 2;
});
