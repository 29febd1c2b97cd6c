import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { registerElsewhere } from "../src/commands/elsewhere.ts";
import { createProgram } from "../src/index.ts";
import { parallax, refusal, serve } from "./harness.ts";

const at = "2024-01-15T10:30:00.000Z";
const status = { clusterId: "test", members: [], observedAt: at, nodeId: "n", enabled: true };

/** A port on which nothing listens: closed, and bound by nobody. */
async function deadUrl(): Promise<string> {
  await using server = await serve({});
  return server.url;
}

describe("the exit code is", () => {
  it("0 when it is done", async () => {
    await using server = await serve({ "/ha/status": status });
    expect((await parallax(["--url", server.url, "ha", "status"])).code).toBe(0);
  });

  it.each([[["--help"]], [["ha", "status", "--help"]], [["help", "run"]]])("0 for %j", async (args) => {
    const ran = await parallax(args);
    expect([ran.code, ran.err]).toEqual([0, ""]);
    expect(ran.out).toContain("Example");
  });

  it("1 when the cluster refuses, with its words", async () => {
    const body = refusal("no_standby", "stepping down: no healthy standby; start one");
    await using server = await serve({ "/ha/stepdown": body });
    const ran = await parallax(["ha", "stepdown", "--url", server.url]);
    expect(ran).toEqual({
      code: 1,
      out: "",
      err: "parallax: stepping down: no healthy standby; start one (no_standby)",
    });
  });

  it.each([
    [["unknown"]],
    [["ha", "statsu"]],
    [["ha", "status", "--wotch"]],
    [["run"]],
    [["executions", "--limit", "0"]],
    [["executions", "--status", "lost"]],
    [["events", "--topics", "weather"]],
    [["run", "p", "--input", "{"]],
    [["run", "p", "--input", "@missing.json"]],
    [["--url", "nowhere", "ha", "status"]],
  ])("2 for %j", async (args) => {
    const ran = await parallax(args);
    expect([ran.code, ran.out]).toEqual([2, ""]);
    expect(ran.err).not.toBe("");
  });

  it("2 with its usage for no command at all", async () => {
    const ran = await parallax([]);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain("Usage: parallax");
  });

  it("3 when no address answers", async () => {
    const ran = await parallax(["ha", "status", "--url", await deadUrl()]);
    expect(ran.code).toBe(3);
    expect(ran.err).toContain("ECONNREFUSED");
  });
});

describe("the address and the token", () => {
  it("come from the environment", async () => {
    await using server = await serve({ "/ha/status": status });
    const env = { PARALLAX_URL: server.url, PARALLAX_TOKEN: "secret" };
    expect((await parallax(["ha", "status"], { env })).code).toBe(0);
    expect(server.seen[0]?.authorization).toBe("Bearer secret");
  });

  it("come from the flags first, before or after the command", async () => {
    await using server = await serve({ "/ha/status": status });
    const env = { PARALLAX_URL: await deadUrl(), PARALLAX_TOKEN: "other" };
    const flags = ["--url", server.url, "--token", "secret"];
    expect((await parallax(["ha", "status", ...flags], { env })).code).toBe(0);
    expect((await parallax([...flags, "ha", "status"], { env })).code).toBe(0);
    expect(server.seen.map(({ authorization }) => authorization)).toEqual(["Bearer secret", "Bearer secret"]);
  });

  it("may be several addresses", async () => {
    await using server = await serve({ "/ha/status": status });
    expect((await parallax(["ha", "status", "--url", `${await deadUrl()}, ${server.url}`])).code).toBe(0);
  });
});

describe("every command", () => {
  function leaves(command: Command): readonly Command[] {
    return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  }

  it("shows an example of itself, and the options that all have", async () => {
    for (const leaf of leaves(createProgram())) {
      const path: string[] = [];
      for (let at: Command | null = leaf; at; at = at.parent) path.unshift(at.name());
      const ran = await parallax([...path.slice(1), "--help"]);
      expect(ran.out).toContain(`$ ${path.join(" ")}`);
      expect(ran.out).toContain("--url <url>");
      expect(ran.out).toContain("--json");
    }
  });
});

describe("further commands", () => {
  it("are added by whoever makes the program, and see its options", async () => {
    const seen: unknown[] = [];
    const ran = await parallax(
      ["dev", "--json", "--nodes", "5"],
      {},
      {
        commands: [
          (program, context) =>
            program
              .command("dev")
              .option("--nodes <count>")
              .action((options) => {
                seen.push(options, context.globals().json);
              }),
        ],
      },
    );
    expect(ran.code).toBe(0);
    expect(seen).toEqual([{ nodes: "5" }, true]);
  });

  it.each([["start"], ["dev"], ["config"]])("of the control plane say how to get them: %s", async (name) => {
    const ran = await parallax([name, "--nodes", "3", "more"], {}, { commands: [registerElsewhere] });
    expect(ran.code).toBe(1);
    expect(ran.err).toContain("npm install --global @parallax/control-plane");
  });
});
