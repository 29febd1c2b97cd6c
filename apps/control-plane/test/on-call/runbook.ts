import { spawn } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const pages = fileURLToPath(new URL("../../../../docs/operations/", import.meta.url));

/** What came of a command that was typed from a page. */
export interface Typed {
  readonly command: string;
  /** 130 where it did not end by itself and was interrupted. */
  readonly code: number;
  readonly output: string;
}

/** Types what the pages of `docs/operations` say, all in one shell, so that they stay true. */
export interface Runbook {
  /**
   * Runs the commands of the first code block below the bold words `title` on a page, one after the other. Those of `kubectl` and
   * `docker` are left out: they are not here.
   */
  type(page: string, title: string, options?: TypeOptions): Promise<readonly Typed[]>;
  /** A command that a page says between its lines. */
  run(command: string): Promise<Typed>;
  stop(): void;
}

export interface TypeOptions {
  /** What stands for something in the page, such as `exec_…`, and what is meant here. */
  readonly where?: Readonly<Record<string, string>>;
  /** Commands that match are begun, and go on until the shell ends. */
  readonly inBackground?: RegExp;
}

export interface RunbookOptions {
  readonly directory: string;
  readonly bin: string;
  /** The port of Redis, where a command does not say another one. */
  readonly redisPort: number;
  /** What stands for something in every page, such as an address. */
  readonly where: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

/** A command that does not end by itself is interrupted after this time, as a person would, in ms. */
const patienceMs = 20_000;
const mark = "@@ended";

export async function openRunbook(options: RunbookOptions): Promise<Runbook> {
  const { directory, bin, redisPort, env } = options;
  const programs = join(directory, "programs");
  await mkdir(programs, { recursive: true });
  await program(join(programs, "parallax"), `exec "${process.execPath}" "${bin}" "$@"`);
  // One that stands for another of its name must not find itself.
  await program(
    join(programs, "redis-cli"),
    `PATH="\${PATH#${programs}:}" exec redis-cli -p ${redisPort} "$@"`,
  );
  const shell = spawn("bash", ["--norc"], {
    cwd: directory,
    env: { ...process.env, ...env, PATH: `${programs}:${process.env.PATH}` },
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  const signal = (name: NodeJS.Signals): void => {
    if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, name);
  };
  const background: number[] = [];
  let output = "";
  let onOutput = (): void => {};
  shell.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    onOutput();
  });
  // The shell outlives the interrupt of what it runs.
  shell.stdin.write("trap : INT\n");

  async function run(command: string, inBackground = false): Promise<Typed> {
    output = "";
    const end = new RegExp(`^${mark} (\\d+)$`, "m");
    const ended = new Promise<void>((resolve) => {
      onOutput = () => {
        if (end.test(output)) resolve();
      };
    });
    // In the background: beyond the interrupts of what is typed after it. It prints its process id.
    const typed = inBackground
      ? `setsid ${command.replace(/ +#.*$/, "")} > background.log 2>&1 & echo $!`
      : `{ ${command}\n} < /dev/null 2>&1`;
    shell.stdin.write(`${typed}\ncode=$?; echo; echo "${mark} $code"\n`);
    const timer = setTimeout(() => signal("SIGINT"), patienceMs);
    await ended;
    clearTimeout(timer);
    const [, code] = end.exec(output) ?? [];
    return { command, code: Number(code), output: output.replace(end, "").trim() };
  }

  return {
    run: (command) => run(command),
    async type(page, title, given = {}) {
      const text = await readFile(join(pages, `${page}.md`), "utf8");
      const commands = commandsBelow(text, title).filter((command) => !/^(?:kubectl|docker) /.test(command));
      if (commands.length === 0) throw new Error(`${page}.md has no commands below **${title}**`);
      const meant = Object.entries({ ...options.where, ...given.where });
      const typed: Typed[] = [];
      for (const command of commands) {
        const here = meant.reduce((told, [what, is]) => told.replaceAll(what, is), command);
        const inBackground = given.inBackground?.test(here) ?? false;
        const ended = await run(here, inBackground);
        if (inBackground) background.push(Number(ended.output));
        typed.push(ended);
      }
      return typed;
    },
    stop() {
      signal("SIGKILL");
      for (const pid of background) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended by itself.
        }
      }
    },
  };
}

/** The commands of the first code block below bold words: one a line, or as many lines as it takes. */
function commandsBelow(page: string, title: string): string[] {
  const at = page.indexOf(`**${title}**`);
  if (at < 0) return [];
  const [, indent = "", block = ""] = /^( *)```sh\n([\s\S]*?)^\1```$/m.exec(page.slice(at)) ?? [];
  const commands: string[] = [];
  let open = "";
  for (const line of block.split("\n")) {
    open = open === "" ? line.slice(indent.length) : `${open}\n${line.slice(indent.length)}`;
    const isLoop = /^for /.test(open) && !/^done/m.test(open);
    if (isLoop || open.endsWith("\\")) continue;
    if (/^\s*[^#\s]/.test(open)) commands.push(open);
    open = "";
  }
  return commands;
}

async function program(path: string, line: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
}
