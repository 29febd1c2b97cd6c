import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { addresses } from "../src/addresses.ts";
import { runCommand } from "../src/command.ts";

const source = fileURLToPath(new URL("../src", import.meta.url));

async function run(...args: string[]): Promise<{ code: number; printed: string; complaints: string }> {
  let printed = "";
  let complaints = "";
  const code = await runCommand({
    args,
    env: { PARALLAX_URL: "http://127.0.0.1:1" },
    signal: AbortSignal.timeout(20_000),
    print: (text) => {
      printed += text;
    },
    complain: (text) => {
      complaints += text;
    },
  });
  return { code, printed, complaints };
}

describe("the command", () => {
  it("prints the report of the methods and ends well where the vote beats the baseline", async () => {
    const { code, printed } = await run("--direct");
    expect(code).toBe(0);
    expect(printed).toMatch(
      /^Licence audit: \d+ unique texts[\s\S]*The vote beats the baseline by [\d.]+ points\.\n$/,
    );
  });

  it("prints the report as JSON", async () => {
    const { code, printed } = await run("--direct", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(printed)).toMatchObject({ voteBeatsBaseline: true, failed: 0 });
  });

  it("ends with 1 where the vote beats nothing, as over a folder without packages", async () => {
    const { code, printed } = await run(source, "--direct");
    expect(code).toBe(1);
    expect(printed).toContain("does NOT beat the baseline");
  });

  it("ends with 1 and the reason where the folder cannot be read", async () => {
    const { code, complaints } = await run("--direct", `${source}/missing`);
    expect(code).toBe(1);
    expect(complaints).toContain("name a folder that exists");
  });

  it.each([["--unknown"], ["one", "two"], ["--url"]])("ends with 2 and its usage for %j", async (...args) => {
    const { code, complaints } = await run(...args);
    expect(code).toBe(2);
    expect(complaints).toContain("Usage:");
  });

  it("ends with 2 for an address that is none", async () => {
    expect((await run("--url", "nowhere", source)).code).toBe(2);
  });

  it("ends with 3 where no cluster answers", async () => {
    const { code, complaints } = await run(source);
    expect(code).toBe(3);
    expect(complaints).toContain("http://127.0.0.1:1");
  });
});

describe("addresses", () => {
  it("separates at commas", () => {
    expect(addresses("http://a:1, http://b:2,")).toEqual(["http://a:1", "http://b:2"]);
    expect(addresses()).toEqual(["http://localhost:8080"]);
  });
});
