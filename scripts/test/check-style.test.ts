import { describe, expect, it } from "vitest";
import { checkStyle } from "../check-style.mjs";
import { sourceTree } from "./source-tree.ts";

const check = (files: Record<string, string>) => checkStyle(sourceTree(files));
const lines = (count: number, line: string) => Array.from({ length: count }, () => line).join("\n");
const path = "packages/core/src/clock.ts";

describe("sizes", () => {
  it("refuses a file of more than 350 lines", () => {
    expect(check({ [path]: lines(350, "export {};") })).toEqual([]);
    expect(check({ [path]: lines(351, "export {};") })).toEqual([`${path}: 351 lines, at most 350`]);
  });

  it("refuses a function of more than 70 lines, whatever its form", () => {
    expect(check({ [path]: `function f() {\n${lines(68, "g();")}\n}` })).toEqual([]);
    for (const [head, tail] of [
      ["function f() {", "}"],
      ["const f = () => {", "};"],
      ["const f = { g() {", "} };"],
    ]) {
      expect(check({ [path]: `${head}\n${lines(69, "g();")}\n${tail}` })).toEqual([
        `${path}:1 function of 71 lines, at most 70`,
      ]);
    }
  });

  it("does not count what lies inside a template string", () => {
    expect(check({ [path]: `const script = \`\n${lines(400, "redis.call()")}\n\`;` })).toEqual([]);
    expect(check({ [path]: `function f() {\n  return \`\n${lines(100, "redis.call()")}\n\`;\n}` })).toEqual(
      [],
    );
  });

  it("measures the functions of a factory each on its own", () => {
    const method = (count: number) => `  function g() {\n${lines(count, "h();")}\n  }\n`;
    expect(check({ [path]: `function create() {\n${method(60)}${method(60)}  return { g };\n}` })).toEqual(
      [],
    );
    expect(
      check({ [path]: `function create() {\n${method(60)}${method(69)}  return { g };\n}` }),
    ).toHaveLength(1);
  });

  it("leaves tests alone, and the suites of tests that packages publish", () => {
    const long = `export function suite() {\n${lines(100, "it();")}\n}`;
    expect(
      check({ "packages/core/test/a.test.ts": long, "packages/membership/src/conformance.ts": long }),
    ).toEqual([]);
  });
});

describe("time and chance", () => {
  it.each(["Date.now()", "performance.now()", "Math.random()", "setTimeout(f, 1)", "setInterval(f, 1)"])(
    "refuses %s in a source",
    (call) => {
      const name = call.replace(/\(.*/, "");
      expect(check({ "packages/membership/src/a.ts": `${call};` })).toEqual([
        `packages/membership/src/a.ts:1 calls ${name}: take a Clock or a Random instead`,
      ]);
    },
  );

  it("allows them where they are wrapped", () => {
    expect(
      check({ "packages/core/src/system-clock.ts": "export const now = () => performance.now();" }),
    ).toEqual([]);
  });
});

describe("words", () => {
  it.each([
    ["unfinished work", `// ${"TO"}${"DO"} later`],
    ["a path of one machine", `const path = "/${"home"}/someone/parallax";`],
    ["the host of a registry", `"https://${"registry"}.npmjs.org/core"`],
  ])("refuses %s", (_, line) => {
    expect(check({ "docs/a.md": `fine\n${line}\n` })).toEqual([
      expect.stringMatching(/^docs\/a\.md:2 contains/),
    ]);
  });

  it("knows them from parts of other words and of URLs", () => {
    const fine =
      '# network/workers\n/api/work/items\nsee packages/core/src\nimport "./registry.ts";\nhttps://example.com/home/page\ntodos\n';
    expect(check({ "docs/a.md": fine })).toEqual([]);
  });

  it("does not look at what is generated", () => {
    expect(
      check({ "packages/core/dist/a.js": `// ${"TO"}${"DO"}`, "node_modules/x/a.md": `${"FIX"}${"ME"}` }),
    ).toEqual([]);
  });
});
