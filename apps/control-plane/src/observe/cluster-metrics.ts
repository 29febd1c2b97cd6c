import type { Clock } from "@parallax/core";
import type { Election } from "@parallax/leader-election";
import type { Membership } from "@parallax/membership";
import { consolidate, type Exposition, type Metrics, type NodeExposition } from "@parallax/metrics";
import { askPeer } from "./peer-requests.ts";

export interface ClusterMetricsOptions {
  readonly nodeId: string;
  readonly metrics: Pick<Metrics, "expose">;
  readonly membership: Pick<Membership, "view">;
  readonly election: Pick<Election, "leader" | "stats">;
  readonly clock: Clock;
  readonly config?: { readonly server: { readonly tls?: unknown } };
}

/** The figures of the whole cluster, which the leader puts together. */
export interface ClusterMetrics {
  /**
   * Any node may be asked. One that does not lead passes the leader's answer on; where nobody leads, or the leader can't be
   * reached, it puts the figures together itself, because just then they are needed.
   */
  expose(request: { readonly accept?: string | undefined; readonly passedOn: boolean }): Promise<Exposition>;
}

/** The header of a request that another node passed on: it is answered here, and goes no further. */
export const passedOnHeader = "X-Parallax-Passed-On";

const path = "/metrics/cluster";
/** Scrapers give up after ten seconds by default. The whole way, one hop included, stays below that. */
const nodeTimeoutMs = 2500;
const leaderTimeoutMs = 5000;

export function createClusterMetrics(options: ClusterMetricsOptions): ClusterMetrics {
  const { nodeId, metrics, membership, election, clock } = options;
  /** All nodes of a cluster are configured alike. */
  const secure = options.config?.server.tls !== undefined;
  const members = () => membership.view()?.members ?? [];

  /** A node that can't be read counts as such: it must not hide the others. */
  async function figuresOf(id: string, address: string): Promise<NodeExposition> {
    if (id === nodeId) return { nodeId: id, body: (await metrics.expose()).body };
    const request = {
      address,
      path: "/metrics",
      secure,
      headers: { Accept: "text/plain" },
      timeoutMs: nodeTimeoutMs,
    };
    const answer = await askPeer(request, clock).catch(() => undefined);
    return { nodeId: id, body: answer?.body ?? unreadable };
  }

  async function gather(accept: string | undefined): Promise<Exposition> {
    const asked = members();
    const own = asked.some(({ id }) => id === nodeId) ? [] : [{ id: nodeId, address: "" }];
    const bodies = await Promise.all([...own, ...asked].map(({ id, address }) => figuresOf(id, address)));
    return consolidate(bodies, accept);
  }

  async function fromLeader(accept: string | undefined): Promise<Exposition | undefined> {
    const leader = election.leader()?.nodeId;
    const address = members().find(({ id }) => id === leader)?.address;
    if (leader === nodeId || address === undefined) return undefined;
    const headers = { Accept: accept ?? "text/plain", [passedOnHeader]: nodeId };
    return askPeer({ address, path, secure, headers, timeoutMs: leaderTimeoutMs }, clock).catch(
      () => undefined,
    );
  }

  return {
    async expose({ accept, passedOn }) {
      const passed = passedOn || election.stats().isLeader ? undefined : await fromLeader(accept);
      return passed ?? gather(accept);
    },
  };
}

/** Is no exposition, so it counts as unreadable. */
const unreadable = "no answer";
