/** What is measured: something that takes work over its API, has it done by agents, and says when it is done. */
export interface Subject {
  readonly name: string;
  /** Starts all its processes on this Redis, for executions with so many agents each. */
  start(redisUrl: string, agents: number): Promise<Running>;
}

export interface Running {
  /** Resolves with the id once the work is acknowledged. Rejects when it is refused. */
  submit(): Promise<string>;
  /** Called with the id of whatever is done. */
  onDone(listener: (id: string) => void): void;
  /** What is known of those that nobody was told about as done: how many there are in each state. */
  missing?(): Promise<Readonly<Record<string, number>>>;
  /** What its server wrote, line by line. */
  readonly lines?: readonly string[];
  /** Its processes, without Redis and without this one. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}
