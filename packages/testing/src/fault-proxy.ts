import { connect, createServer, type Server, type Socket } from "node:net";

/** Which way bytes go: to the server, or back to the client. */
export type ProxyDirection = "to-server" | "to-client";

/** What happens to bytes. */
export type ProxyMode =
  | { readonly type: "pass" }
  /** Bytes wait and arrive after healing, as TCP sends them again after a partition. */
  | { readonly type: "hold"; readonly direction?: ProxyDirection }
  /** Bytes are lost while the sockets stay open. Healing resets the connections that lost some. */
  | { readonly type: "blackhole"; readonly direction?: ProxyDirection }
  /** Bytes arrive later, in order. */
  | { readonly type: "delay"; readonly ms: number; readonly jitterMs?: number };

/** What a proxy has seen. */
export interface ProxyCounts {
  readonly accepted: number;
  readonly open: number;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  readonly bytesDropped: number;
}

/** A TCP proxy on 127.0.0.1 that does to a connection what networks do. */
export interface FaultProxy {
  readonly port: number;
  /** `redis://127.0.0.1:<port>` */
  readonly url: string;
  /** Heals: bytes pass, connections are accepted. */
  pass(): void;
  hold(direction?: ProxyDirection): void;
  blackhole(direction?: ProxyDirection): void;
  delay(ms: number, jitterMs?: number): void;
  /** Resets all connections; new ones are accepted. */
  reset(): void;
  /** Resets all connections and refuses new ones, until {@link FaultProxy.pass}. */
  refuse(): Promise<void>;
  counts(): ProxyCounts;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Options of {@link createFaultProxy}. */
export interface FaultProxyOptions {
  readonly target: { readonly port: number; readonly host?: string };
  /** A number in [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number;
}

interface Link {
  /** Sends what has waited, or ends what has lost bytes. */
  heal(): void;
  reset(): void;
}

/** Starts a proxy that passes everything. */
export async function createFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { target, random = Math.random } = options;
  const links = new Set<Link>();
  const seen = { accepted: 0, "to-server": 0, "to-client": 0, dropped: 0 };
  let mode: ProxyMode = { type: "pass" };
  let isRefusing = false;

  function setMode(next: ProxyMode): void {
    mode = next;
    for (const link of [...links]) link.heal();
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    seen.accepted += 1;
    const upstream = connect({ host: target.host ?? "127.0.0.1", port: target.port, allowHalfOpen: true });
    const count = (what: ProxyDirection | "dropped", bytes: number): void => {
      seen[what] += bytes;
    };
    const pumps = [
      createPump({ from: client, to: upstream, direction: "to-server", mode: () => mode, random, count }),
      createPump({ from: upstream, to: client, direction: "to-client", mode: () => mode, random, count }),
    ];
    const link: Link = {
      heal() {
        if (pumps.some((pump) => pump.hasLost)) link.reset();
        else for (const pump of pumps) pump.flush();
      },
      reset() {
        links.delete(link);
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      },
    };
    links.add(link);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.on("error", () => link.reset());
      // One side may stay open for long when the end of the other got lost.
      socket.on("close", () => {
        if (client.closed && upstream.closed) links.delete(link);
      });
    }
  });
  const port = await listen(server, 0);

  const proxy: FaultProxy = {
    port,
    url: `redis://127.0.0.1:${port}`,
    pass() {
      setMode({ type: "pass" });
      if (isRefusing) server.listen(port, "127.0.0.1");
      isRefusing = false;
    },
    hold: (direction) => setMode({ type: "hold", ...(direction ? { direction } : {}) }),
    blackhole: (direction) => setMode({ type: "blackhole", ...(direction ? { direction } : {}) }),
    delay: (ms, jitterMs = 0) => setMode({ type: "delay", ms, jitterMs }),
    reset() {
      for (const link of [...links]) link.reset();
    },
    async refuse() {
      if (isRefusing) return proxy.reset();
      isRefusing = true;
      const closed = close(server);
      proxy.reset();
      await closed;
    },
    counts: () => ({
      accepted: seen.accepted,
      open: links.size,
      bytesToServer: seen["to-server"],
      bytesToClient: seen["to-client"],
      bytesDropped: seen.dropped,
    }),
    async stop() {
      const closed = isRefusing ? undefined : close(server);
      isRefusing = true;
      proxy.reset();
      await closed;
    },
    [Symbol.asyncDispose]: () => proxy.stop(),
  };
  return proxy;
}

interface Pump {
  readonly hasLost: boolean;
  /** Sends what has waited, if the mode allows it. */
  flush(): void;
}

interface PumpOptions {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: ProxyDirection;
  readonly mode: () => ProxyMode;
  readonly random: () => number;
  readonly count: (what: ProxyDirection | "dropped", bytes: number) => void;
}

type Item = Buffer | "end";

/** Carries the bytes of one direction, in order. The end of the stream travels behind them. */
function createPump({ from, to, direction, mode, random, count }: PumpOptions): Pump {
  const waiting: { readonly item: Item; readonly atMs: number }[] = [];
  let hasLost = false;
  let lastAtMs = 0;
  let timer: NodeJS.Timeout | undefined;

  const applies = (current: ProxyMode): boolean =>
    !("direction" in current) || current.direction === undefined || current.direction === direction;

  function send(item: Item): void {
    if (to.destroyed) return;
    if (item === "end") {
      to.end();
      return;
    }
    count(direction, item.length);
    to.write(item);
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const current = mode();
    if (current.type === "hold" && applies(current)) return;
    for (let next = waiting[0]; next; next = waiting[0]) {
      const leftMs = next.atMs - performance.now();
      if (current.type === "delay" && leftMs > 0) {
        timer = setTimeout(flush, leftMs);
        return;
      }
      waiting.shift();
      send(next.item);
    }
  }

  function take(item: Item): void {
    const current = mode();
    if (current.type === "blackhole" && applies(current)) {
      hasLost = true;
      if (item !== "end") count("dropped", item.length);
      return;
    }
    const delayMs = current.type === "delay" ? current.ms + random() * (current.jitterMs ?? 0) : 0;
    // Jitter never makes a chunk overtake the one before it.
    lastAtMs = Math.max(lastAtMs, performance.now() + delayMs);
    waiting.push({ item, atMs: lastAtMs });
    if (timer === undefined) flush();
  }

  from.on("data", take);
  from.on("end", () => take("end"));
  return {
    get hasLost() {
      return hasLost;
    },
    flush,
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
