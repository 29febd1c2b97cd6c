import Table from "cli-table3";

const noBorders = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "", mid: "", "mid-mid": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", "right-mid": "", right: "", middle: "  " },
};

/** No column is made narrower than this, in characters. */
const narrowest = 8;

/**
 * A table without lines, its columns two spaces apart. Where `width` is given it fits: the widest columns but the first are
 * shortened, with an ellipsis in their middle for what is missing.
 */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  width: number = Number.POSITIVE_INFINITY,
): string {
  const widths = fit(head, rows, width);
  return draw(
    shorten(head, widths),
    rows.map((row) => shorten(row, widths)),
  );
}

/** How wide each column may be. */
function fit(head: readonly string[], rows: readonly (readonly string[])[], width: number): number[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const total = (): number => widths.reduce((sum, each) => sum + each, 2 * (widths.length - 1));
  while (total() > width) {
    // The first column names the thing, and is copied from: it stays whole.
    const widest = Math.max(...widths.slice(1));
    if (widest <= narrowest) break;
    widths[widths.indexOf(widest, 1)] = widest - 1;
  }
  return widths;
}

function shorten(cells: readonly string[], widths: readonly number[]): string[] {
  return cells.map((cell, column) => {
    const width = widths[column] ?? cell.length;
    if (cell.length <= width) return cell;
    // The ends tell names apart: those of nodes begin alike.
    const tail = Math.floor((width - 1) / 2);
    return `${cell.slice(0, width - 1 - tail)}…${cell.slice(-tail)}`;
  });
}

function draw(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const style = { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 };
  const table = new Table({ head: [...head], chars: noBorders, style });
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** A time for people, to the second, in UTC: `2024-01-15 10:30:00`. */
export function shortTime(time: string | undefined): string {
  return time === undefined ? "-" : time.replace("T", " ").replace(/(?:\.\d+)?Z$/, "");
}
