import { expect, it } from "vitest";
import { renderTable } from "../../src/render/table.ts";

const head = ["Id", "Name", "Capabilities"];
const rows = [["agent_0123456789abcdef", "classifier-1", "classification,analysis,translation"]];

it("is whole where nothing bounds it", () => {
  expect(renderTable(head, rows)).toContain("classification,analysis,translation");
});

it("fits the terminal: the widest columns are shortened, and the first stays whole", () => {
  const lines = renderTable(head, rows, 60).split("\n");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
  expect(lines[1]).toMatch(/^agent_0123456789abcdef {2}classifier-1 {2}classificat…ranslation$/);
});

it("leaves something of each column on the narrowest terminal", () => {
  expect(renderTable(head, rows, 10).split("\n")[1]).toMatch(
    /^agent_0123456789abcdef {2}clas…r-1 {2}clas…ion$/,
  );
});
