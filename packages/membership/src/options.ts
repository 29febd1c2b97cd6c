import {
  type Clock,
  errorMessage,
  type Logger,
  noopLogger,
  ParallaxError,
  type Random,
  safeOnError,
  systemClock,
  systemRandom,
} from "@parallax/core";
import type { MemberReport, MembershipOptions } from "./membership.ts";
import type { MembershipStore } from "./store.ts";

/** Which time-outs go together. */
export interface MembershipPreset {
  readonly checkIntervalMs: number;
  readonly timeoutMs: number;
  readonly unhealthyThreshold: number;
  readonly removeAfterMs: number;
}

/** `default` fails a silent member after 15 s, `fast` after 6 s, at five times the beats. */
export const membershipPresets: { readonly default: MembershipPreset; readonly fast: MembershipPreset } = {
  default: { checkIntervalMs: 5000, timeoutMs: 3000, unhealthyThreshold: 3, removeAfterMs: 600_000 },
  fast: { checkIntervalMs: 1000, timeoutMs: 800, unhealthyThreshold: 6, removeAfterMs: 600_000 },
};

/** What a node says that has nothing to say. */
export const emptyReport: MemberReport = { leading: undefined, capacity: {}, facts: {} };

/** A report that is longer, as JSON, is not sent: it would travel to every node with every look. */
export const maxReportBytes = 4096;

/** The options with their defaults. */
export interface Settings extends MembershipPreset {
  readonly store: MembershipStore;
  readonly nodeId: string;
  readonly incarnation: string | undefined;
  readonly address: string;
  readonly zone: string | undefined;
  readonly report: () => MemberReport;
  readonly vouch: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onError: (error: unknown) => void;
}

/** @throws ParallaxError `invalid_options` with the option and what would be right. */
export function settle(options: MembershipOptions): Settings {
  const { store, nodeId, address, logger = noopLogger } = options;
  const { onError = (error) => logger.error("membership failed", { error: errorMessage(error) }) } = options;
  const settings: Settings = {
    ...membershipPresets.default,
    ...timings(options),
    store,
    nodeId,
    address,
    incarnation: options.incarnation,
    zone: options.zone,
    report: options.report ?? (() => emptyReport),
    vouch: options.vouch ?? (() => true),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    logger,
    onError: safeOnError(onError, logger),
  };
  const { checkIntervalMs, timeoutMs, unhealthyThreshold, removeAfterMs } = settings;
  if (typeof store?.beat !== "function")
    refuse("store", "where the members are, such as redisMembershipStore(client)");
  if (typeof nodeId !== "string" || !/^[\w.:@-]{1,200}$/.test(nodeId)) {
    refuse("nodeId", "1 to 200 letters, digits or any of ._:@-");
  }
  if (typeof address !== "string" || address === "")
    refuse("address", "where other nodes reach this one, such as 10.0.0.1:8080");
  if (settings.incarnation === "")
    refuse("incarnation", "a text that is new with each process, or leave it out");
  if (!isCount(checkIntervalMs, 10)) refuse("checkIntervalMs", "a whole number of milliseconds from 10");
  if (!isCount(unhealthyThreshold, 1)) refuse("unhealthyThreshold", "a whole number from 1");
  if (!isCount(removeAfterMs, 0)) refuse("removeAfterMs", "a whole number of milliseconds from 0");
  if (!(timeoutMs > 0 && timeoutMs < checkIntervalMs)) {
    refuse("timeoutMs", `above 0 and below checkIntervalMs, which is ${checkIntervalMs}`);
  }
  return settings;
}

/** Only what is given, so that an option that is `undefined` does not hide its default. */
function timings(options: MembershipOptions): Partial<MembershipPreset> {
  const { checkIntervalMs, timeoutMs, unhealthyThreshold, removeAfterMs } = options;
  const given = { checkIntervalMs, timeoutMs, unhealthyThreshold, removeAfterMs };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function isCount(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}

function refuse(option: string, right: string): never {
  throw new ParallaxError("invalid_options", `creating a membership: set ${option} to ${right}`, {
    details: { option },
  });
}
