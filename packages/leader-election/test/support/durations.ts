/** Short, for tests in real time, and with room for timers of a busy machine. */
export const durations = { leaseDurationMs: 3000, renewDeadlineMs: 1500, retryPeriodMs: 400 } as const;
