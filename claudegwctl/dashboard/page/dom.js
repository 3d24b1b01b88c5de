// Create elements without markup: data from outside is always inserted as text.

export const $ = (id) => document.getElementById(id);

// An element with these attributes. `text` is its text, `on…` a listener for that event; null omits an attribute.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  fill(made, attributes);
  made.append(...children);
  return made;
}

export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  fill(made, attributes);
  made.append(...children);
  return made;
}

function fill(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value != null) made.setAttribute(name, value);
  }
}

export function setText(node, text) {
  // Leave unchanged text alone: replacing it would drop a selection, and a screen reader would read it again.
  if (node.textContent !== text) node.textContent = text;
}

// A table that is updated row by row, so that focus and selection survive. A column is {head, value, number?, node?}:
// `value` returns a text, or a `node` is created once per row and updated by its `update(row)`.
export class Table {
  constructor(place, caption, none, columns, nameOf) {
    this.columns = columns;
    this.nameOf = nameOf;
    this.rows = new Map();
    // Roles are explicit because the style turns rows into blocks on a phone, and browsers then drop the implicit roles.
    this.body = element("tbody", { role: "rowgroup" });
    const heads = columns.map((column) =>
      element("th", { role: "columnheader", scope: "col", class: column.number ? "number" : null, text: column.head }));
    this.table = element("table", { role: "table" },
      element("caption", { text: caption }),
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
      this.body);
    this.none = element("p", { class: "dim", text: none });
    place.replaceChildren(this.table, this.none);
    this.show([]);
  }

  show(rows) {
    const names = this.#names(rows);
    const there = new Set(names);
    for (const [name, kept] of this.rows) {
      if (!there.has(name)) {
        kept.line.remove();
        this.rows.delete(name);
      }
    }
    rows.forEach((row, place) => {
      const name = names[place];
      if (!this.rows.has(name)) this.rows.set(name, this.#made(row));
      const kept = this.rows.get(name);
      kept.update(row);
      if (this.body.children[place] !== kept.line) this.body.insertBefore(kept.line, this.body.children[place] ?? null);
    });
    this.table.hidden = rows.length === 0;
    this.none.hidden = rows.length > 0;
  }

  // Each has its own: requests may have the same id, which is the client's choice.
  #names(rows) {
    const seen = new Map();
    return rows.map((row) => {
      const name = this.nameOf(row);
      seen.set(name, (seen.get(name) ?? 0) + 1);
      return `${seen.get(name)} ${name}`;
    });
  }

  #made(row) {
    const updates = [];
    const cells = this.columns.map((column, place) => {
      const cell = element(place ? "td" : "th", {
        role: place ? "cell" : "rowheader", scope: place ? null : "row", "data-head": column.head,
      });
      const classes = column.number ? "number" : "";
      const inner = column.node?.(row);
      if (inner) cell.append(inner.node);
      updates.push((now) => {
        if (inner) {
          inner.update(now);
          cell.className = inner.node.childElementCount ? classes : `${classes} empty`;
          return;
        }
        const text = String(column.value(now) ?? "");
        setText(cell, text);
        cell.className = [classes, text ? "" : "empty", column.style?.(now) ?? ""].join(" ").trim();
      });
      return cell;
    });
    const line = element("tr", { role: "row" }, ...cells);
    return { line, update: (now) => updates.forEach((update) => update(now)) };
  }
}
