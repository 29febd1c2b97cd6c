import type { Node } from "./nodes.ts";
import { openSettings, type Setting, type Settings } from "./settings.ts";

/** Two nodes, one of which comes later; both change the same setting at once. Returns what each of them knows in the end. */
export async function tour(
  connect: () => Node,
  say: (line: string) => void,
): Promise<readonly (Setting | undefined)[]> {
  const nodes: Node[] = [];
  let heard: () => void = () => {};
  function start(name: string): Settings {
    const node = connect();
    nodes.push(node);
    return openSettings(
      node.store,
      (setting, value) => {
        say(`  ${name} hears: ${setting} is ${value ? `${value.state} for ${value.percent} %` : "gone"}`);
        heard();
      },
      (error) => say(`  ${name} cannot follow any more: ${String(error)}`),
    );
  }
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (heard = resolve));
  }

  const first = start("node-0");
  await first.ready;
  say("node-0 sets new-search");
  await first.set("new-search", { state: "on", percent: 10, changedBy: "node-0" });

  const second = start("node-1");
  await second.ready;
  say("node-1 has come and knows it; now both raise it by 20 at the same time");
  const raise = (changedBy: string) => (setting: Setting) => ({
    ...setting,
    percent: setting.percent + 20,
    changedBy,
  });
  await Promise.all([
    first.change("new-search", raise("node-0")),
    second.change("new-search", raise("node-1")),
  ]);
  const all = [first, second];
  await until(() => all.every((settings) => settings.get("new-search")?.percent === 50));
  say("neither change was lost, and both nodes know it without asking");

  const known = all.map((settings) => settings.get("new-search"));
  await Promise.all(all.map((settings) => settings.close()));
  await Promise.all(nodes.map((node) => node.close()));
  return known;
}
