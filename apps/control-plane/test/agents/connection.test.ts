import { EventEmitter } from "node:events";
import { agentLimits, closeCodes } from "@parallax/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeSocket } from "../support/fake-socket.ts";
import { agentOf, graceMs, type HubFixture, hubFixture, taskFrame } from "../support/hub-fixture.ts";
import { keepingLogger } from "../support/log-lines.ts";
import { hello } from "../support/sockets.ts";

const seconds = 1000;
const result = (number: number) => ({
  type: "result",
  taskId: `exec_1:${number}`,
  executionId: "exec_1",
  attempt: 1,
  result: number,
});

describe("a connection of an agent", () => {
  let node: HubFixture;
  beforeEach(() => {
    node = hubFixture();
  });
  afterEach(() => node.close());

  describe("that is silent", () => {
    it("is pinged at a random moment of its own, so that many are never pinged at once, then each 15 s", async () => {
      await node.close();
      const draws = [0.1, 0.9];
      node = hubFixture({ draw: () => draws.shift() ?? 0 });
      const [early, late] = [node.open(), node.open()];
      const firstPing = async (socket: FakeSocket): Promise<number> => {
        await node.clock.runUntil(() => socket.pings > 0, 20 * seconds);
        return node.clock.now();
      };
      const startedMs = node.clock.now();
      for (const socket of [early, late]) socket.says(hello());
      expect((await firstPing(early)) - startedMs, "not only once a second").toBe(1.5 * seconds);
      expect((await firstPing(late)) - startedMs).toBe(13.5 * seconds);
      expect(early.pings).toBe(1);
      await node.clock.runUntil(() => early.pings > 1, 20 * seconds);
      expect(node.clock.now() - startedMs).toBe(16.5 * seconds);
    });

    it("is dead within 25 s, and its tasks wait for the agent to come back", async () => {
      const socket = await node.connect();
      const startedMs = node.clock.now();
      await node.clock.runUntil(() => socket.readyState === 3, 60 * seconds);
      const afterMs = node.clock.now() - startedMs;
      expect(afterMs).toBeLessThanOrEqual(agentLimits.deadAfterMs);
      expect(afterMs).toBeGreaterThan(agentLimits.deadAfterMs - 2 * seconds);
      expect(await node.sessions.get(agentOf(socket))).toMatchObject({ status: "away" });
    });

    it("lives as long as it answers pings", async () => {
      const socket = await node.connect();
      for (let minute = 0; minute < 12; minute += 1) {
        await node.clock.advance(10 * seconds);
        socket.emit("pong");
      }
      expect(socket.readyState).toBe(socket.OPEN);
      expect(socket.pings).toBe(8);
    });

    it("is not taken for dead by a node that could not listen itself", async () => {
      const socket = await node.connect();
      // The node stood still: its timers come late, and what the agents sent lies unread.
      node.clock.stall(40 * seconds);
      await node.clock.advance(41 * seconds);
      expect(socket.readyState).toBe(socket.OPEN);
      socket.emit("pong");
      await node.clock.advance(25 * seconds);
      expect(socket.readyState, "but it is if it stays silent").toBe(3);
    });

    it("is silent from then on when its node stood still and heard it before it looked again", async () => {
      const socket = await node.connect();
      node.clock.stall(40 * seconds);
      await node.clock.advance(39 * seconds);
      socket.emit("pong");
      await node.clock.advance(27 * seconds);
      expect(socket.readyState).toBe(3);
    });

    it("is closed when no hello comes in 10 s", async () => {
      const socket = node.open();
      await node.clock.advance(12 * seconds);
      expect(socket.closedWith).toBe(closeCodes.handshakeTimeout);
    });
  });

  describe("that does not read", () => {
    const large = "x".repeat(100_000);

    it("gets no more tasks past the high mark, and those that it would have got go to others", async () => {
      const socket = await node.connect({ maxConcurrentTasks: 100 });
      const id = agentOf(socket);
      socket.stalled = true;
      const sent = Array.from({ length: 5 }, (_, number) =>
        node.hub.send(id, taskFrame(`exec_1:${number}`, 1, large)),
      );
      expect(sent).toEqual([true, true, true, false, false]);
      expect(node.reported).toEqual(["refused exec_1:3 1", "refused exec_1:4 1"]);
      expect(node.roster.get(id), "nobody picks it").toBeUndefined();
    });

    it("gets tasks again once it has read, and its places are as they were", async () => {
      const socket = await node.connect({ maxConcurrentTasks: 100 });
      const id = agentOf(socket);
      socket.stalled = true;
      for (let number = 0; number < 3; number += 1)
        node.hub.send(id, taskFrame(`exec_1:${number}`, 1, large));
      socket.stalled = false;
      socket.bufferedAmount = 0;
      await node.clock.advance(1 * seconds);
      expect([...(node.roster.get(id)?.held ?? [])]).toHaveLength(3);
      expect(node.hub.send(id, taskFrame("exec_1:9", 1, large))).toBe(true);
    });

    it("never has more than 1 MiB and a frame waiting for it, and is closed with 4408", async () => {
      const socket = await node.connect();
      socket.stalled = true;
      const frame = { type: "error" as const, code: "c", message: "x".repeat(300_000) };
      let most = 0;
      for (let number = 0; number < 10; number += 1) {
        node.hub.send(agentOf(socket), frame);
        most = Math.max(most, socket.bufferedAmount);
      }
      expect(socket.closedWith).toBe(closeCodes.tooSlow);
      expect(most).toBeGreaterThan(1024 ** 2);
      expect(most).toBeLessThanOrEqual(1024 ** 2 + JSON.stringify(frame).length);
    });
  });

  describe("that floods", () => {
    it("is read no faster than the bound: the rest waits in the network", async () => {
      const socket = await node.connect();
      const progress = { type: "progress", taskId: "exec_1:0", attempt: 1 };
      for (let count = 0; count < 6 * agentLimits.framesPerSecond; count += 1) socket.says(progress);
      expect(socket.paused).toBe(true);
      await node.clock.advance(2 * seconds);
      expect(socket.paused).toBe(false);
      expect(socket.readyState).toBe(socket.OPEN);
    });

    it("does not, whose frames answer the tasks that it is given, however fast it works", async () => {
      const socket = await node.connect();
      for (let number = 0; number < 6 * agentLimits.framesPerSecond; number += 1) {
        const taskId = `exec_1:${number}`;
        node.hub.send(agentOf(socket), taskFrame(taskId));
        socket.says({ type: "accept", taskId, attempt: 1 });
        socket.says(result(number));
        if (number % 32 === 31) await node.clock.advance(5);
      }
      await node.clock.advance(5);
      expect(socket.of("ack")).toHaveLength(6 * agentLimits.framesPerSecond);
      expect(socket.paused).toBe(false);
    });

    it("is read no faster than so many bytes a second either", async () => {
      const socket = await node.connect();
      const frame = JSON.stringify({ ...result(1), result: "x".repeat(1_000_000) });
      let taken = 0;
      for (; !socket.paused && taken < 100; taken += 1) socket.says(frame);
      expect(taken, "the results of a reconnect come in at once").toBeGreaterThanOrEqual(32);
      expect(taken).toBeLessThan(40);
      await node.clock.advance(1 * seconds);
      expect(socket.paused).toBe(false);
    });

    it("is not read while its results wait for the store, and is not dead for that", async () => {
      const socket = await node.connect();
      const waiting: (() => void)[] = [];
      node.deliver = () => new Promise((resolve) => waiting.push(() => resolve("counted")));
      for (let number = 0; number < 64; number += 1) socket.says(result(number));
      expect(socket.paused).toBe(true);
      await node.clock.advance(60 * seconds);
      expect(socket.readyState).toBe(socket.OPEN);
      for (const done of waiting) done();
      await node.clock.settle();
      expect(socket.paused).toBe(false);
      expect(socket.of("ack")).toHaveLength(64);
    });

    it("has its turn with a few of what came in one piece, and then others have theirs", async () => {
      const [flood, other] = [await node.connect(), await node.connect()];
      node.hub.send(agentOf(flood), taskFrame("exec_1:0"));
      node.hub.send(agentOf(other), taskFrame("exec_2:0"));
      for (let count = 0; count < 500; count += 1)
        flood.says({ type: "progress", taskId: "exec_1:0", attempt: 1, value: 0.5 });
      other.says({ type: "accept", taskId: "exec_2:0", attempt: 1 });
      expect(node.reported.length).toBeLessThan(80);
      expect(node.reported.at(-1)).toBe("accepted exec_2:0 1");
      await node.clock.advance(100);
      expect(node.reported).toHaveLength(501);
    });

    it("with pings has one answer to all of a turn, the last one, and is read at the same pace", async () => {
      const socket = await node.connect();
      for (let count = 0; count < 6 * agentLimits.framesPerSecond; count += 1)
        socket.emit("ping", Buffer.from(`ping ${count}`));
      await node.clock.settle();
      expect(socket.pongs).toEqual([`ping ${6 * agentLimits.framesPerSecond - 1}`]);
      expect(socket.paused).toBe(true);
      await node.clock.advance(2 * seconds);
      expect(socket.paused).toBe(false);
    });

    it("with pings and does not read has no answers, so that none wait", async () => {
      const socket = await node.connect();
      socket.bufferedAmount = 300_000;
      socket.emit("ping", Buffer.from("ping"));
      await node.clock.settle();
      expect(socket.pongs).toEqual([]);
    });

    it("with pongs is read at that pace, too", async () => {
      const socket = await node.connect();
      for (let count = 0; count < 6 * agentLimits.framesPerSecond; count += 1) socket.emit("pong");
      expect(socket.paused).toBe(true);
      await node.clock.advance(2 * seconds);
      expect(socket.paused).toBe(false);
    });

    it("and closes has what it had said before taken", async () => {
      const socket = await node.connect();
      const delivered: string[] = [];
      node.deliver = async ({ taskId }) => {
        delivered.push(taskId);
        return "counted";
      };
      for (let number = 0; number < 500; number += 1) socket.says(result(number));
      expect(delivered.length).toBeLessThan(80);
      socket.end(1001);
      expect(delivered).toEqual(Array.from({ length: 500 }, (_, number) => `exec_1:${number}`));
    });
  });

  describe("that sends what is no frame", () => {
    /** How many were answered after each 50 ms, of those that come in as soon as they are read. */
    async function pour(socket: FakeSocket, times: number): Promise<number[]> {
      const answered: number[] = [];
      for (let time = 0; time < times; time += 1) {
        socket.says("{");
        await node.clock.advance(50);
        answered.push(socket.of("error").length);
      }
      return answered;
    }

    it("is answered, and not read for 50 ms, what came in one piece with it included", async () => {
      const socket = await node.connect();
      for (let count = 0; count < 10; count += 1) socket.says("{");
      expect(socket.of("error")).toHaveLength(1);
      expect(socket.paused).toBe(true);
      expect(await pour(socket, 12)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    });

    it("is not read for longer after a large one", async () => {
      const socket = await node.connect();
      socket.says("{".repeat(512 * 1024));
      await node.clock.advance(511);
      expect(socket.paused).toBe(true);
      await node.clock.advance(2);
      expect(socket.paused).toBe(false);
    });

    it("is closed with 4429 when it goes on, after five seconds, and its flood is not heeded any more", async () => {
      const socket = await node.connect();
      const startedMs = node.clock.now();
      while (socket.readyState === socket.OPEN) await pour(socket, 1);
      expect(socket.closedWith).toBe(closeCodes.tooMany);
      expect(node.clock.now() - startedMs).toBeGreaterThan(5 * seconds);
      expect(node.clock.now() - startedMs).toBeLessThan(6 * seconds);
      const { length } = socket.of("error");
      socket.says("{");
      await node.clock.advance(1 * seconds);
      expect(socket.of("error")).toHaveLength(length);
    });

    it("does no more harm together with many others, and none to those that don't", async () => {
      const bad = await Promise.all(Array.from({ length: 400 }, () => node.connect()));
      const good = await node.connect();
      const answered = (): number => bad.reduce((sum, socket) => sum + socket.of("error").length, 0);
      async function pourAll(times: number): Promise<void> {
        for (let time = 0; time < times; time += 1) {
          for (const socket of bad) if (!socket.paused) socket.says("{");
          good.says({ type: "progress", taskId: "exec_1:0", attempt: 1 });
          expect(good.paused).toBe(false);
          await node.clock.advance(50);
        }
      }
      await pourAll(20);
      expect(answered()).toBeLessThan(600);
      const before = answered();
      await pourAll(60);
      expect((answered() - before) / 3, "in a second").toBeLessThan(120);
      expect(bad.every((socket) => socket.readyState === socket.OPEN)).toBe(true);
    });
  });

  describe("that is cut off for a fault of its agent", () => {
    it.each<[string, (socket: FakeSocket) => void, string]>([
      ["that says hello twice", (socket) => socket.says(hello()), "hello comes once"],
      [
        "that sends what is no frame of a WebSocket",
        (socket) => {
          socket.emit(
            "error",
            Object.assign(new Error("MASK must be set"), { code: "WS_ERR_EXPECTED_MASK" }),
          );
          socket.end(1002);
        },
        "MASK must be set",
      ],
    ])("is named in the log of the node, with what was wrong: one %s", async (_, act, fault) => {
      const { logger, lines } = keepingLogger();
      const logged = hubFixture({ logger });
      const [socket, stranger] = [await logged.connect({ name: "bad" }), logged.open()];
      act(socket);
      stranger.says({ type: "goodbye" });
      const network = await logged.connect({ name: "good" });
      network.emit("error", Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
      network.end();
      expect(lines.filter(({ level }) => level === "warn")).toEqual([
        { level: "warn", message: "agent cut off", fields: { agent: agentOf(socket), name: "bad", fault } },
        {
          level: "warn",
          message: "a connection was cut off before its agent was known",
          fields: { fault: "hello comes first" },
        },
      ]);
      await logged.close();
    });
  });

  describe("that is over", () => {
    /** What is below a socket, as far as it is read. */
    class FakeStream extends EventEmitter {
      readonly writableLength = 0;
      resumed = 0;
      cork(): void {}
      uncork(): void {}
      resume(): void {
        this.resumed += 1;
      }
    }

    it.each([
      ["because the node closed it", (socket: FakeSocket) => socket.says(hello())],
      [
        "because of a frame that is too long",
        (socket: FakeSocket) => socket.emit("error", new Error("1009")),
      ],
    ])("%s, is read with rests, for what comes may be a flood", async (_, end) => {
      const [socket, stream] = [new FakeSocket(), new FakeStream()];
      node.hub.accept(socket, "caller", stream);
      socket.says(hello());
      await node.clock.settle();
      stream.emit("data");
      expect(socket.paused).toBe(false);
      socket.stalled = true;
      end(socket);
      for (let piece = 1; piece < 4; piece += 1) {
        stream.emit("data");
        expect(socket.paused).toBe(true);
        await node.clock.advance(19);
        expect(socket.paused).toBe(true);
        await node.clock.advance(1);
        expect(socket.paused).toBe(false);
        expect(stream.resumed).toBe(piece);
      }
    });

    it("leaves no timer, so that a node that ends does not wait for one", async () => {
      await node.clock.advance(20_000);
      const { timers } = node.clock;
      const socket = node.open();
      socket.says("{".repeat(1_000_000));
      expect(node.clock.timers).toBe(timers + 1);
      socket.end();
      expect(node.clock.timers).toBe(timers);
    });

    it("is read again where it was not, so that it hears of the other end's close", async () => {
      const socket = await node.connect();
      socket.says("{");
      expect(socket.paused).toBe(true);
      socket.stalled = true;
      node.hub.sendAway();
      expect(socket.paused).toBe(false);
    });
  });

  it("is not heeded any more once it closes (X10)", async () => {
    const socket = await node.connect();
    node.hub.send(agentOf(socket), taskFrame("exec_1:0"));
    socket.stalled = true;
    node.hub.sendAway();
    expect(socket.readyState).toBe(2);
    socket.says({ type: "refuse", taskId: "exec_1:0", attempt: 1, reason: "busy" });
    expect(node.reported).toEqual([]);
    await node.clock.advance(graceMs);
  });
});
