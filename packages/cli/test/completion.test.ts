import { describe, expect, it } from "vitest";
import { parallax } from "./harness.ts";

const complete = async (...words: readonly string[]): Promise<readonly string[]> =>
  (await parallax(["complete", "--", ...words])).out.split("\n");

describe("completion", () => {
  it("knows the commands, and those below them", async () => {
    expect(await complete("")).toEqual(
      expect.arrayContaining(["ha", "run", "executions", "agents", "events", "doctor", "completion"]),
    );
    expect(await complete("")).not.toContain("complete");
    expect(await complete("ha", "st")).toEqual(["status", "stepdown"]);
  });

  it("knows the options, those of all commands included, and their values", async () => {
    expect(await complete("ha", "status", "--w")).toEqual(["--watch"]);
    expect(await complete("ha", "status", "--u")).toEqual(["--url"]);
    expect(await complete("executions", "--status", "c")).toEqual(["completed", "cancelled"]);
    expect(await complete("--url", "http://a:1", "ha", "sta")).toEqual(["status"]);
    expect(await complete("completion", "")).toEqual(expect.arrayContaining(["bash", "zsh", "fish"]));
  });

  it.each(["bash", "zsh", "fish"])("has a script for %s that asks the program", async (shell) => {
    const ran = await parallax(["completion", shell]);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain("parallax complete -- ");
  });

  it("refuses another shell", async () => {
    expect((await parallax(["completion", "tcsh"])).code).toBe(2);
  });
});
