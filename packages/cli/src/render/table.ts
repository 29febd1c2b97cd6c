import Table from "cli-table3";

const noBorders = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "", mid: "", "mid-mid": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", "right-mid": "", right: "", middle: "  " },
};

/** A table without lines, its columns two spaces apart. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
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
