// A process of the benchmarks: one member in each of many clusters, over one set of connections. It writes what it is told,
// line by line, with the time by the clock that all processes of a machine share.

import { createMembership, type Membership, membershipPresets } from "@parallax/membership";
import { storeWith } from "@parallax/membership/redis";
import { createConnections, createKeySpace } from "@parallax/redis";
import { membershipScripts } from "../../packages/membership/src/redis-scripts.ts";
import { type Line, stepKey } from "./members.ts";

const [url = "", nodeId = "", clusterNames = ""] = process.argv.slice(2);

function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
/** Redis's clock, which a benchmark can step: libfaketime and the allocator of Redis do not go together. */
const scripts = membershipScripts(`
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000 + (redis.call('GET', '${stepKey}') or 0)
end
`);
const connections = createConnections({ url });

/** The name of a cluster begins with that of its preset. */
function start(cluster: string): { readonly membership: Membership; leave(): Promise<void> } {
  const stopping = new AbortController();
  const membership = createMembership({
    ...(cluster.startsWith("fast") ? membershipPresets.fast : membershipPresets.default),
    store: storeWith(connections, scripts, { keySpace: createKeySpace({ prefix: `${cluster}:` }) }),
    nodeId,
    address: `127.0.0.1:${process.pid}`,
  });
  membership.subscribe((event) => {
    const member = "member" in event ? event.member : nodeId;
    say({ what: event.type, cluster, member, atMs: nowMs() });
  });
  const running = membership.run({ signal: stopping.signal });
  return {
    membership,
    async leave() {
      say({ what: "leaving", cluster, member: nodeId, atMs: nowMs() });
      stopping.abort();
      await running;
    },
  };
}

const members = clusterNames.split(",").map(start);

/** How many healthy members the cluster that shows fewest has. */
let shown = 0;
setInterval(() => {
  const counts = members.map(
    ({ membership }) => membership.view()?.members.filter(({ status }) => status === "healthy").length ?? 0,
  );
  const fewest = Math.min(...counts);
  if (fewest !== shown) say({ what: "sees", count: fewest });
  shown = fewest;
}, 50);

process.once("SIGTERM", async () => {
  // One after the other, as each of them would leave alone.
  for (const { leave } of members) await leave();
  await connections.close();
  process.exit(0);
});
