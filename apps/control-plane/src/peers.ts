import { type Logger, ParallaxError } from "@parallax/core";
import type { EventBus } from "@parallax/event-bus";
import type { Member, Membership } from "@parallax/membership";
import { ownerName } from "./executions/record.ts";
import type { NodeMessage } from "./node-messages.ts";

/** A process that can own executions: its node, and the name that stands in their records. */
export interface Owner {
  readonly nodeId: string;
  readonly owner: string;
  /** The functions of users that it has, by hash (X9). */
  readonly functions: readonly string[];
}

/** The other nodes, as far as work is shared with them. */
export interface Peers {
  /** This process. Another name after its incarnation has ended. */
  self(): Owner;
  /** Live members that take work, without this node. */
  takers(): readonly Owner[];
  takerIds(): readonly string[];
  /** Sends a hint; one that is lost is made good by its receiver's next look at the records (X2). */
  send(nodeId: string, message: NodeMessage): void;
}

export function createPeers(options: {
  readonly nodeId: string;
  readonly membership: Pick<Membership, "incarnation" | "view">;
  readonly bus: Pick<EventBus, "send">;
  readonly logger: Logger;
  /** The functions of users that this node has. */
  readonly functions: readonly string[];
}): Peers {
  const { nodeId, membership, bus, logger, functions } = options;
  const takers = (): readonly Owner[] =>
    (membership.view()?.members ?? [])
      .filter((member) => member.id !== nodeId && takesWork(member))
      .map(ownerOf);
  return {
    self: () => ({ nodeId, owner: ownerName({ nodeId, incarnation: membership.incarnation }), functions }),
    takers,
    takerIds: () => takers().map((peer) => peer.nodeId),
    send(target, message) {
      bus.send(target, message).catch((error: unknown) => {
        logger.debug("a hint was not sent", { to: target, type: message.type, error });
      });
    },
  };
}

/** Whether a member may be given executions. */
export function takesWork({ status }: Member): boolean {
  return status === "healthy" || status === "suspect";
}

/** The process of a member, as an owner. */
export function ownerOf({ id, incarnation, report }: Member): Owner {
  const { functions } = report.facts;
  return {
    nodeId: id,
    owner: ownerName({ nodeId: id, incarnation }),
    functions: Array.isArray(functions) ? functions : [],
  };
}

/** Whether an owner can aggregate with the function; without one, everybody can. */
export function mayOwn({ functions }: Owner, functionHash: string | undefined): boolean {
  return functionHash === undefined || functions.includes(functionHash);
}

/** Who submits what where. */
export interface OwnerWanted {
  readonly isDraining: boolean;
  readonly isCutOff: boolean;
  /** The user's function that the execution is aggregated with. */
  readonly functionHash?: string | undefined;
}

/**
 * Who owns what is submitted now: this node, unless it drains, lacks the user's function, or the cluster does not hear it
 * (M3). @throws ParallaxError `draining`, `not_ready` when nobody takes it.
 */
export function chooseOwner(peers: Peers, { isDraining, isCutOff, functionHash }: OwnerWanted): Owner {
  const self = peers.self();
  const isAble = mayOwn(self, functionHash);
  if (!isDraining && !isCutOff && isAble) return self;
  const heir = peers.takers().find((peer) => mayOwn(peer, functionHash));
  if (heir) return heir;
  // As far as it knows it is alone, and the record decides.
  if (!isDraining && isAble) return self;
  if (!isDraining) {
    throw new ParallaxError(
      "not_ready",
      "submitting an execution: no node has the function that its pattern aggregates with at present; put the module into their directories of patterns and restart them",
    );
  }
  throw new ParallaxError(
    "draining",
    "submitting an execution: this node drains and no other takes it; try again later",
  );
}
