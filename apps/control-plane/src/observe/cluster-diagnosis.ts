import { type Clock, errorMessage } from "@parallax/core";
import type { Membership } from "@parallax/membership";
import {
  type AskedNode,
  type ClusterDiagnosis,
  clusterDiagnosisSchema,
  type NodeDiagnosis,
} from "@parallax/protocol";
import { passedOnHeader } from "./cluster-metrics.ts";
import { askPeer } from "./peer-requests.ts";

/** Longer than a node takes that can't reach Redis. */
const nodeTimeoutMs = 4000;

export interface ClusterDiagnosisOptions {
  readonly nodeId: string;
  readonly address: string;
  readonly membership: Pick<Membership, "view">;
  readonly clock: Clock;
  readonly config: { readonly server: { readonly tls?: unknown } };
  readonly diagnose: () => Promise<NodeDiagnosis>;
}

/** What this node says of itself, and, unless another node asked, what all members that it can reach say of themselves. */
export type DiagnoseCluster = (request: {
  /** The caller's, which is passed on: nodes share their tokens. */
  readonly authorization: string | undefined;
  readonly passedOn: boolean;
}) => Promise<ClusterDiagnosis>;

export function createClusterDiagnosis(options: ClusterDiagnosisOptions): DiagnoseCluster {
  const { nodeId, address, membership, clock, diagnose } = options;
  /** All nodes of a cluster are configured alike. */
  const secure = options.config.server.tls !== undefined;

  async function ask(
    member: { readonly id: string; readonly address: string },
    token: string | undefined,
  ): Promise<AskedNode> {
    const headers = { [passedOnHeader]: nodeId, ...(token === undefined ? {} : { Authorization: token }) };
    const asked = { nodeId: member.id, address: member.address };
    try {
      const request = {
        address: member.address,
        path: "/ha/diagnosis",
        secure,
        headers,
        timeoutMs: nodeTimeoutMs,
      };
      const answer = clusterDiagnosisSchema.parse(JSON.parse((await askPeer(request, clock)).body));
      const [found] = answer.nodes;
      return {
        ...asked,
        ...(found?.diagnosis ? { diagnosis: found.diagnosis } : { error: "it said nothing" }),
      };
    } catch (error) {
      return { ...asked, error: errorMessage(error) };
    }
  }

  return async ({ authorization, passedOn }) => {
    const others = passedOn ? [] : (membership.view()?.members ?? []).filter(({ id }) => id !== nodeId);
    const [diagnosis, ...asked] = await Promise.all([
      diagnose(),
      ...others.map((member) => ask(member, authorization)),
    ]);
    return { nodes: [{ nodeId, address, diagnosis }, ...asked] };
  };
}
