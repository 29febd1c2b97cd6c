// What the benchmarks use of peers that bring no types.

declare module "redlock" {
  export interface Lock {
    extend(ttlMs: number): Promise<Lock>;
    unlock(): Promise<void>;
  }
  export default class Redlock {
    constructor(clients: readonly unknown[], options: { retryCount: number; retryDelay: number });
    on(event: "clientError", listener: (error: unknown) => void): void;
    lock(resource: string, ttlMs: number): Promise<Lock>;
  }
}

declare module "safe-redis-leader" {
  export interface SafeRedisLeader {
    elect(): Promise<void>;
    shutdown(): Promise<void>;
    on(event: "elected" | "demoted", listener: () => void): void;
    on(event: "error", listener: (error: unknown) => void): void;
  }
  export function createSafeRedisLeader(options: {
    asyncRedis: unknown;
    ttl: number;
    wait: number;
    key: string;
  }): Promise<SafeRedisLeader>;
}
