import { spawn } from "node:child_process";
import { chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";

/** A PostgreSQL of the example's own: a free port of 127.0.0.1, a temporary folder, gone when it is stopped. */
export interface Postgres {
  readonly url: string;
  stop(): Promise<void>;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Starts the PostgreSQL of the distribution. */
export async function startPostgres(): Promise<Postgres> {
  const programs = await findPrograms();
  const folder = await mkdtemp(join(tmpdir(), "fenced-write-"));
  // PostgreSQL refuses to run as root, so there it runs as its own user.
  const user = process.getuid?.() === 0 ? await postgresUser() : undefined;
  if (user) await chown(folder, user.uid, user.gid);
  const port = await freePort();
  await run(join(programs, "initdb"), ["-D", folder, "-A", "trust", "-U", "example", "--no-sync"], user);
  const settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"];
  const server = spawn(join(programs, "postgres"), ["-D", folder, "-p", String(port), ...settings], {
    stdio: "ignore",
    ...user,
  });
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  const url = `postgres://example@127.0.0.1:${port}/postgres`;
  const stop = async (): Promise<void> => {
    server.kill("SIGQUIT");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(url);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

/** The newest version below /usr/lib/postgresql, where Debian has it, or whatever is on the PATH. */
async function findPrograms(): Promise<string> {
  const debian = "/usr/lib/postgresql";
  const versions = await listFolder(debian);
  const [newest] = versions.map(Number).sort((one, other) => other - one);
  const candidates = [
    ...(newest === undefined ? [] : [join(debian, String(newest), "bin")]),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  for (const folder of candidates) {
    const names = await listFolder(folder);
    if (names.includes("initdb") && names.includes("postgres")) return folder;
  }
  throw new Error("PostgreSQL is not installed; on Debian: apt-get install -y postgresql");
}

function listFolder(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((): readonly string[] => []);
}

async function postgresUser(): Promise<User> {
  const [uid, gid] = await Promise.all([run("id", ["-u", "postgres"]), run("id", ["-g", "postgres"])]);
  return { uid: Number(uid), gid: Number(gid) };
}

function run(program: string, args: readonly string[], user?: User): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: tmpdir(), ...user });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve(output.trim()) : reject(new Error(`${program} failed: ${output}`)),
    );
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function untilReady(url: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const client = new Client(url);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      await client.end().catch(() => {});
      if (attempt === 100) throw new Error("PostgreSQL did not start", { cause: error });
      await sleep(100);
    }
  }
}
