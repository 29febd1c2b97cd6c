import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { checkImports } from "../check-imports.mjs";
import { root } from "../command.mjs";
import { allowedImports } from "../import-rules.mjs";
import { publishedPackages } from "../packages.mjs";
import { sourceTree } from "./source-tree.ts";

const check = (files: Record<string, string>) => checkImports(sourceTree(files));

describe("import direction", () => {
  it("lets a package import what lies below it, and its own files", () => {
    const problems = check({
      "packages/redis/src/index.ts": 'export { connect } from "./connection.ts";\n',
      "packages/redis/src/connection.ts":
        'import { createBackoff } from "@parallax/core";\nimport { Redis } from "ioredis";\n',
    });
    expect(problems).toEqual([]);
  });

  it("names file, line, import and rule of an import against the direction", () => {
    const problems = check({ "packages/core/src/clock.ts": '\nimport { run } from "@parallax/redis";\n' });
    expect(problems).toEqual([
      'packages/core/src/clock.ts:2 imports "@parallax/redis": core imports only nothing',
    ]);
  });

  it.each([
    ["a type", 'import type { Script } from "@parallax/redis";'],
    ["an inline type", 'export type Reply = import("@parallax/redis").RedisReply;'],
    ["a re-export", 'export * from "@parallax/redis";'],
    ["a named re-export", 'export { script } from "@parallax/redis";'],
    ["a dynamic import", 'const redis = await import("@parallax/redis");'],
    ["a subpath", 'import "@parallax/redis/memory";'],
  ])("sees %s", (_, source) => {
    expect(check({ "packages/core/src/clock.ts": source })).toHaveLength(1);
  });

  it("lets metrics name the types of what it watches, but not run their code", () => {
    const path = "packages/metrics/src/metrics.ts";
    expect(check({ [path]: 'import type { Election } from "@parallax/leader-election";' })).toEqual([]);
    expect(check({ [path]: 'import { type Election } from "@parallax/leader-election";' })).toEqual([]);
    expect(check({ [path]: 'import { createElection } from "@parallax/leader-election";' })).toEqual([
      `${path}:1 imports "@parallax/leader-election": metrics imports only types of leader-election`,
    ]);
  });

  it("refuses the values of ioredis where the caller brings the client", () => {
    expect(check({ "packages/event-bus/src/redis.ts": 'import { Redis } from "ioredis";' })).toHaveLength(1);
    expect(check({ "packages/event-bus/src/redis.ts": 'import type { Redis } from "ioredis";' })).toEqual([]);
  });

  it("keeps ioredis from those who use an embedded backend", () => {
    const value = 'import { createKeySpace } from "@parallax/redis";';
    for (const file of ["redis.ts", "redis-scripts.ts", "redis/mutate.ts"])
      expect(check({ [`packages/event-bus/src/${file}`]: value })).toEqual([]);
    expect(check({ "packages/event-bus/src/memory.ts": value })).toHaveLength(1);
    const type = 'import type { KeySpace } from "@parallax/redis";';
    expect(check({ "packages/event-bus/src/memory.ts": type })).toEqual([]);
  });

  it("refuses a relative import that leaves the package", () => {
    expect(check({ "packages/client/src/a.ts": 'import "../../core/src/clock.ts";' })).toHaveLength(1);
    expect(check({ "packages/client/src/a.ts": 'import "../test/a.ts";' })).toHaveLength(1);
  });

  it("lets nothing import an application", () => {
    expect(check({ "packages/cli/src/a.ts": 'import "@parallax/control-plane";' })).toHaveLength(1);
    expect(check({ "examples/audit/src/a.ts": 'import "@parallax/control-plane";' })).toHaveLength(1);
    expect(check({ "examples/audit/src/a.ts": 'import "@parallax/agent";' })).toEqual([]);
  });

  it("finds a cycle of values, and leaves types alone", () => {
    const a = "packages/core/src/a.ts";
    const b = "packages/core/src/b.ts";
    expect(check({ [a]: 'import "./b.ts";', [b]: 'export { a } from "./a.ts";' })).toEqual([
      `import cycle: ${a} -> ${b} -> ${a}`,
    ]);
    expect(check({ [a]: 'import "./b.ts";', [b]: 'import type { A } from "./a.ts";' })).toEqual([]);
  });

  it("looks at sources only", () => {
    expect(check({ "packages/core/test/clock.test.ts": 'import "@parallax/redis";' })).toEqual([]);
  });
});

describe("the table of this repository", () => {
  it("covers every published package, and no manifest depends on more than it allows", () => {
    for (const { folder, manifest } of publishedPackages()) {
      const { dependencies = {} } = JSON.parse(readFileSync(`${root}/${folder}/package.json`, "utf8"));
      const name = manifest.name.replace("@parallax/", "");
      expect(allowedImports).toHaveProperty(name);
      const inside = Object.keys(dependencies).filter((dependency) => dependency.startsWith("@parallax/"));
      if (name !== "metrics")
        expect(allowedImports[name]).toEqual(expect.arrayContaining(inside.map((one) => one.slice(10))));
    }
  });
});
