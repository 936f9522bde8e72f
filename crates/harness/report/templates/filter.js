// Shows the chosen servers alone: their lines and columns of every table, their bars, curves and pictures.
"use strict";

{
  const filter = document.getElementById("filter");
  const boxes = [...filter.querySelectorAll("input")];
  const names = boxes.map((box) => box.value);
  const show = (element, shown) => element.style.setProperty("display", shown ? "" : "none");
  // "tokio", "tokio ⚠" and "tokio, async-std and smol" name servers; a text that names none is of all of them.
  const named = (text) => text.split(/, | and | ⚠/).filter((name) => names.includes(name));
  const heads = (row) => [...row.children].map((cell) => cell.firstChild?.textContent.trim() ?? "");

  const apply = () => {
    const hidden = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
    const isShown = (text) => !named(text).length || named(text).some((name) => !hidden.has(name));
    for (const table of document.querySelectorAll("table")) {
      const columns = heads(table.tHead.rows[0]).map(isShown);
      for (const row of table.rows) {
        [...row.cells].forEach((cell, index) => show(cell, columns[index]));
        if (row.parentElement !== table.tHead) show(row, isShown(heads(row)[0]));
      }
    }
    for (const element of document.querySelectorAll("[data-of]")) show(element, isShown(element.dataset.of));
    for (const figure of document.querySelectorAll("#reference ~ .pictures figure"))
      show(figure, isShown(figure.querySelector("h3").textContent.split(", style ")[0]));
  };

  filter.addEventListener("change", apply);
  filter.querySelector("button").addEventListener("click", () => {
    for (const box of boxes) box.checked = true;
    apply();
  });
  filter.hidden = false;
}
