const units = [
  { ms: 86_400_000, name: "d" },
  { ms: 3_600_000, name: "h" },
  { ms: 60_000, name: "m" },
] as const;

/**
 * How long before `observedAt` something was: `2s ago`, `5m ago`, `3h ago`, `2d ago`, rounded down. Both times are one
 * server's (T2); what lies after is `0s ago`.
 */
export function ago(time: string, observedAt: string): string {
  const ageMs = Math.max(0, Date.parse(observedAt) - Date.parse(time));
  if (Number.isNaN(ageMs)) return "unknown";
  const unit = units.find(({ ms }) => ageMs >= ms);
  return unit ? `${Math.floor(ageMs / unit.ms)}${unit.name} ago` : `${Math.floor(ageMs / 1000)}s ago`;
}
