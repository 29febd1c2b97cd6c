import { createConnection, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../src/eventually.ts";
import { createFaultProxy, type FaultProxy } from "../src/fault-proxy.ts";

interface Client {
  readonly socket: Socket;
  readonly received: () => string;
  readonly isOver: () => boolean;
}

let echo: Server;
const serverSockets: Socket[] = [];
let proxy: FaultProxy;
const clients: Client[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    serverSockets.push(socket);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
  const address = echo.address();
  proxy = await createFaultProxy({
    target: { port: typeof address === "object" ? (address?.port ?? 0) : 0 },
  });
});
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await proxy.stop();
  serverSockets.length = 0;
  await new Promise((resolve) => echo.close(resolve));
});

function client(): Client {
  const socket = createConnection(proxy.port, "127.0.0.1");
  let received = "";
  let isOver = false;
  socket.on("data", (data) => {
    received += data.toString();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    isOver = true;
  });
  const made = { socket, received: () => received, isOver: () => isOver };
  clients.push(made);
  return made;
}

async function connected(): Promise<Client> {
  const made = client();
  made.socket.write("hello ");
  await eventually(() => made.received() === "hello ");
  return made;
}

const moment = (ms = 50): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a fault proxy", () => {
  it("passes bytes both ways and counts them", async () => {
    const { socket } = await connected();
    socket.end();
    await eventually(() => proxy.counts().open === 0);
    expect(proxy.counts()).toMatchObject({
      accepted: 1,
      bytesToServer: 6,
      bytesToClient: 6,
      bytesDropped: 0,
    });
  });

  it("holds bytes back, and delivers them after healing", async () => {
    const { socket, received } = await connected();
    proxy.hold();
    socket.write("later");
    await moment();
    expect(received()).toBe("hello ");
    proxy.pass();
    await eventually(() => received() === "hello later");
  });

  it("loses bytes while sockets stay open, and resets those that lost some when it heals", async () => {
    const loser = await connected();
    const idle = await connected();
    proxy.blackhole();
    loser.socket.write("lost");
    await eventually(() => proxy.counts().bytesDropped === 4);
    expect([loser.received(), loser.isOver()]).toEqual(["hello ", false]);
    proxy.pass();
    await eventually(loser.isOver);
    idle.socket.write("again");
    await eventually(() => idle.received() === "hello again");
  });

  it("cuts one way only", async () => {
    const { socket, received } = await connected();
    const before = proxy.counts().bytesToServer;
    proxy.hold("to-client");
    socket.write("one way");
    await eventually(() => proxy.counts().bytesToServer === before + 7);
    await moment();
    expect(received()).toBe("hello ");
    proxy.pass();
    await eventually(() => received() === "hello one way");
  });

  it("delays bytes, each for its own time and in order", async () => {
    const { socket, received } = await connected();
    proxy.delay(40, 20);
    const startedMs = performance.now();
    for (const part of ["a", "b", "c", "d"]) {
      socket.write(part);
      await moment(15);
    }
    await eventually(() => received().length > "hello ".length);
    const firstMs = performance.now() - startedMs;
    await eventually(() => received() === "hello abcd");
    // Twice 40 to 60 ms, there and back; traffic that goes on does not put off what waits already.
    expect(firstMs).toBeGreaterThan(75);
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  it("resets connections, and accepts new ones", async () => {
    const first = await connected();
    proxy.reset();
    await eventually(first.isOver);
    await connected();
  });

  it("refuses connections until it heals", async () => {
    const first = await connected();
    await proxy.refuse();
    await eventually(first.isOver);
    await eventually(client().isOver);
    expect(proxy.counts().accepted).toBe(1);
    proxy.pass();
    await eventually(connected);
  });

  it("stops although an end got lost on its way, so that one side still waits for it", async () => {
    const { socket } = await connected();
    proxy.blackhole("to-client");
    socket.end();
    // The server has closed its side, and the client never hears of it.
    await eventually(() => serverSockets.every(({ destroyed }) => destroyed));
    await moment();
    expect([socket.destroyed, proxy.counts().open]).toEqual([false, 1]);
    await proxy.stop();
    await eventually(() => socket.destroyed);
  });
});
