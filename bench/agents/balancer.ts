import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTemporaryDirectory, eventually, freePort, startChild } from "@parallax/testing";

const deploy = join(import.meta.dirname, "../../deploy");

/** A load balancer of the distribution, with the configuration that `deploy/` recommends. */
export interface Balancer {
  readonly url: string;
  /** What it said. */
  readonly lines: readonly string[];
  stop(): Promise<void>;
}

/** What is put in the place of what in the recommended configuration. */
type Replacements = readonly (readonly [RegExp, string])[];

interface Kind {
  readonly file: string;
  /** Clients of one address stay on one node, as long as it is there. */
  readonly sticky: Replacements;
  readonly replacements: (port: number) => Replacements;
  readonly command: (file: string, directory: string) => { command: string; args: readonly string[] };
}

const kinds: Readonly<Record<string, Kind>> = {
  haproxy: {
    file: "haproxy/haproxy.cfg",
    sticky: [[/balance leastconn/, "balance source"]],
    replacements: (port) => [
      [/bind :8080/, `bind 127.0.0.1:${port}`],
      [/maxconn 20000/, "maxconn 8000"],
    ],
    command: (file) => ({ command: "haproxy", args: ["-db", "-f", file] }),
  },
  nginx: {
    file: "nginx/nginx.conf",
    sticky: [[/least_conn;/, "ip_hash;"]],
    replacements: (port) => [
      [/listen 8080;/, `listen 127.0.0.1:${port};`],
      [/worker_processes auto;/, "worker_processes 1;"],
      [/http \{/, "http {\n  access_log off;"],
    ],
    command: (file, directory) => ({
      command: "nginx",
      args: ["-p", directory, "-c", file, "-e", "stderr", "-g", `daemon off; pid ${directory}/pid;`],
    }),
  },
};

/** The recommended configuration names three nodes; each further one is written as the third. */
function withNodes(text: string, count: number): string {
  return text.replace(/^.*10\.0\.0\.12:8080.*\n/m, (third) => {
    const more = Array.from({ length: Math.max(0, count - 3) }, (_, index) =>
      third.replace("10.0.0.12", `10.0.0.1${index + 3}`).replace("-plane-2", `-plane-${index + 3}`),
    );
    return third + more.join("");
  });
}

/** Starts `haproxy` or `nginx` before the nodes. @throws Error that says what to install where it is missing. */
export async function startBalancer(
  kind: string,
  ports: readonly number[],
  sticky: boolean,
): Promise<Balancer> {
  const chosen = kinds[kind];
  if (!chosen)
    throw new Error(`there is no balancer ${kind}: choose one of ${Object.keys(kinds).join(", ")}`);
  const directory = await createTemporaryDirectory("balancer");
  await mkdir(join(directory.path, "logs"));
  const port = await freePort();
  const recommended = withNodes(await readFile(join(deploy, chosen.file), "utf8"), ports.length);
  const nodes = ports.map((node, index): Replacements[number] => [
    new RegExp(`10\\.0\\.0\\.1${index}:8080`),
    `127.0.0.1:${node}`,
  ]);
  const all = [...chosen.replacements(port), ...nodes, ...(sticky ? chosen.sticky : [])];
  const text = all.reduce((before, [what, by]) => {
    if (!what.test(before)) throw new Error(`${chosen.file} has no ${what}: adapt bench/agents/balancer.ts`);
    return before.replace(what, by);
  }, recommended);
  const file = join(directory.path, "configuration");
  await writeFile(file, text);
  const { command, args } = chosen.command(file, directory.path);
  const child = await startChild({ command, args }).catch((cause: unknown) => {
    throw new Error(`${command} can't be started; on Debian: apt-get install -y haproxy nginx`, { cause });
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${url}/health/ready`)).ok, {
    message: `${kind} to answer`,
  }).catch((cause: unknown) => {
    throw new Error(`${kind} said:\n${child.lines.join("\n")}`, { cause });
  });
  return {
    url,
    lines: child.lines,
    async stop() {
      child.signal("SIGTERM");
      const timer = setTimeout(() => child.signal("SIGKILL"), 3000);
      await child.exited;
      clearTimeout(timer);
      await directory.remove();
    },
  };
}
