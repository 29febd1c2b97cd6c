import { spawnSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { Server } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { isParallaxError, noopLogger } from "@parallax/core";
import {
  createTemporaryDirectory,
  createVirtualClock,
  type TemporaryDirectory,
  type VirtualClock,
} from "@parallax/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { stayOnHttp1 } from "../src/http/stay-on-http1.ts";
import { type Listening, listen } from "../src/listen.ts";

describe("a server with a certificate", () => {
  let directory: TemporaryDirectory;
  let files: { cert: string; key: string };
  let clock: VirtualClock;
  let listening: Listening | undefined;

  /** Makes a certificate for the name, as an authority would. */
  function issue(name: string): { cert: string; key: string } {
    const made = { cert: join(directory.path, `${name}.crt`), key: join(directory.path, `${name}.key`) };
    const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name}`;
    const { status, stderr } = spawnSync(
      "openssl",
      [...args.split(" "), "-out", made.cert, "-keyout", made.key],
      { encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
    return made;
  }

  beforeAll(async () => {
    directory = await createTemporaryDirectory("tls");
    files = { cert: join(directory.path, "used.crt"), key: join(directory.path, "used.key") };
  });
  afterAll(() => directory.remove());
  beforeEach(() => {
    clock = createVirtualClock();
    use(issue("first"));
  });
  afterEach(async () => {
    const closing = listening?.close(0);
    await clock.advance(1);
    await closing;
    listening = undefined;
  });

  function use({ cert, key }: { cert: string; key: string }): void {
    copyFileSync(cert, files.cert);
    copyFileSync(key, files.key);
  }

  async function start(): Promise<Listening> {
    const fetch = (): Response => new Response("hello");
    const base = { host: "127.0.0.1", port: 0, clock, logger: noopLogger };
    listening = await listen({ ...base, fetch, tls: files });
    return listening;
  }

  /** Whose certificate a new connection is shown. */
  function shown(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.once("error", reject);
    });
  }

  it("answers in HTTP/1.1 who offers to go on in another protocol", async () => {
    const { port, server } = await start();
    server.on("upgrade", (request, socket, head) => stayOnHttp1(server, request, socket, head));
    const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.write("GET / HTTP/1.1\r\nHost: node\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*hello/s);
  });

  it("shows the one that its files have, and another one once they were exchanged", async () => {
    const { port, server } = await start();
    expect(server).not.toBeInstanceOf(Server);
    expect(await shown(port)).toBe("first");
    use(issue("second"));
    await clock.advance(60_000);
    expect(await shown(port)).toBe("second");
  });

  it("keeps the one that it has while the files hold none", async () => {
    const { port } = await start();
    writeFileSync(files.cert, "half written");
    await clock.advance(60_000);
    expect(await shown(port)).toBe("first");
    use(issue("third"));
    await clock.advance(60_000);
    expect(await shown(port)).toBe("third");
  });

  it.each<[string, () => void]>([
    ["is not there", () => (files = { cert: "/no/such/file", key: files.key })],
    ["is none", () => writeFileSync(files.cert, "no certificate")],
    ["belongs to another key", () => copyFileSync(issue("other").key, files.key)],
  ])("is not started when its certificate %s", async (_, spoil) => {
    const before = files;
    spoil();
    const error: unknown = await start().catch((reason: unknown) => reason);
    files = before;
    expect(isParallaxError(error, "invalid_config") && error.message).toMatch(/^reading server\.tls: .+; /);
  });
});
