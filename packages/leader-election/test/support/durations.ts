/** Short, for tests in real time, and with room for timers of a busy machine. */
export const durations = { leaseDurationMs: 3000, renewDeadlineMs: 1500, retryPeriodMs: 400 } as const;

/** For a process that ends itself before its lease does: it has a tenth of what lies between the two to be late in. */
export const overrunDurations = { leaseDurationMs: 8000, renewDeadlineMs: 3000, retryPeriodMs: 500 };
