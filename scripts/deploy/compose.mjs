// The files of deploy/compose, alone and with Sentinel.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { root, run } from "../command.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */

const folder = join(root, "deploy/compose");

/** @returns {Promise<Outcome>} */
export async function checkCompose() {
  for (const files of [["compose.yaml"], ["compose.yaml", "compose.sentinel.yaml"]]) {
    const args = [...files.flatMap((file) => ["-f", file]), "config"];
    const without = await run("docker-compose", args, { cwd: folder, env: { PARALLAX_API_TOKEN: "" } });
    if (without.ok || !without.output.includes("PARALLAX_API_TOKEN"))
      return { ok: false, output: `${files}: starts without a token\n${without.output}` };
    const { ok, output } = await run("docker-compose", args, {
      cwd: folder,
      env: { PARALLAX_API_TOKEN: "secret" },
    });
    if (!ok) return { ok, output };
    const problem = problemOf(parse(output).services["control-plane"]);
    if (problem) return { ok: false, output: `${files}: ${problem}\n` };
  }
  return { ok: true, output: "" };
}

/** What would keep `docker compose up -d --scale control-plane=5` from working. @param {Record<string, any>} service */
function problemOf(service) {
  if (service.container_name) return "control-plane has a container_name: there is only one of that";
  if (service.ports) return "control-plane has a port of the host: there is only one of that";
  if (Number.parseInt(service.stop_grace_period, 10) <= 30)
    return "a drain of 30 s does not fit stop_grace_period";
  return undefined;
}

/**
 * The configurations of the load balancers, read by their own programs.
 *
 * @returns {Promise<Outcome>}
 */
export async function checkBalancers() {
  const haproxy = await run("haproxy", ["-c", "-f", join(root, "deploy/haproxy/haproxy.cfg")]);
  if (!haproxy.ok) return haproxy;
  const nginx = join(root, "deploy/nginx/nginx.conf");
  const checked = await run("nginx", ["-t", "-e", "stderr", "-c", nginx, "-g", "pid /dev/null;"]);
  if (!checked.ok) return checked;
  return run("haproxy", ["-c", "-f", join(folder, "haproxy.cfg")]);
}

/**
 * What Compose is shown with is what the examples use.
 *
 * @returns {Outcome}
 */
export function checkComposePattern() {
  const name = "patterns/content-classifier.yaml";
  const [here, there] = [join(folder, name), join(root, "examples/license-audit", name)].map((file) =>
    readFileSync(file, "utf8"),
  );
  return { ok: here === there, output: `deploy/compose/${name} differs from the example's\n` };
}
