// Does what the Dockerfile says, without Docker: its steps in order, each stage in an empty folder of its own that stands for the
// root of the image, and then its program as its user.

import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { root, run } from "../command.mjs";
import { freePort, tryNode } from "./node-process.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */
/**
 * @typedef {object} Stage
 * @property {string} directory
 * @property {string} workdir
 * @property {Record<string, string>} env
 * @property {string[]} command
 * @property {number} [uid]
 */

const file = join(root, "deploy/docker/Dockerfile");

/** The folders that the image has of its own: what is below them is in the folder of the stage. */
const ours = /(?<![\w.$-])\/(?:build|opt\/parallax|etc\/parallax|usr\/local\/bin)(?![\w-])/g;

/** @returns {{ name: string; rest: string }[]} The instructions, with their lines joined. */
function instructions() {
  const text = readFileSync(file, "utf8")
    .replace(/^\s*#.*\n/gm, "")
    .replace(/\\\n\s*/g, " ");
  return text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name = "", rest = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name, rest };
    });
}

/** As Docker does: the last pattern that matches decides. @returns {(path: string) => boolean} */
function ignored() {
  const lines = readFileSync(`${file}.dockerignore`, "utf8").split("\n");
  const rules = lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const pattern = line.replace(/^!/, "");
      const source = pattern.split(/(\*\*\/|\*\*|\*)/).map((part) => {
        if (part === "**/") return "(?:.*/)?";
        if (part === "**") return ".*";
        return part === "*" ? "[^/]*" : part.replace(/[.+^${}()|[\]\\]/g, "\\$&");
      });
      return { ignores: !line.startsWith("!"), test: new RegExp(`^${source.join("")}(?:/.*)?$`) };
    });
  return (path) => rules.findLast(({ test }) => test.test(path))?.ignores ?? false;
}

/** @param {string} directory The files that Docker would be sent. */
async function copyContext(directory) {
  const listed = await run("git", ["ls-files", "--cached", "--others", "--exclude-standard"]);
  if (!listed.ok) throw new Error(listed.output);
  const isIgnored = ignored();
  for (const path of listed.output.split("\n").filter((name) => name !== "" && !isIgnored(name)))
    cpSync(join(root, path), join(directory, path));
}

/** @param {string} text `A=b C="d e"` @returns {Record<string, string>} */
function assignments(text) {
  const found = text.matchAll(/([A-Za-z_.]+)=(?:"([^"]*)"|(\S+))/g);
  return Object.fromEntries(
    [...found].map(([, name, quoted, bare]) => [String(name), String(quoted ?? bare)]),
  );
}

/**
 * @param {string} rest
 * @param {Stage} stage
 * @param {Readonly<Record<string, Stage>>} stages
 * @param {string} context
 */
function copy(rest, stage, stages, context) {
  const from = /--from=(\w+)\s+/.exec(rest)?.[1];
  const words = rest.replace(/--\w+=\S+\s+/g, "").split(/\s+/);
  const target = String(words.pop());
  const to = target.startsWith("/")
    ? join(stage.directory, target)
    : join(stage.directory, stage.workdir, target);
  const source = from === undefined ? context : String(stages[from]?.directory);
  for (const word of words) {
    const isFolder = word === "." || words.length === 1;
    cpSync(join(source, word), isFolder ? to : join(to, word), { recursive: true, verbatimSymlinks: true });
  }
}

/**
 * @param {{ name: string; rest: string }} instruction
 * @param {Stage} stage
 * @param {Readonly<Record<string, Stage>>} stages
 * @param {string} context
 * @returns {Promise<Outcome>}
 */
async function execute({ name, rest }, stage, stages, context) {
  const local = (/** @type {string} */ text) => text.replace(ours, (path) => join(stage.directory, path));
  if (name === "WORKDIR") stage.workdir = rest;
  else if (name === "ENV")
    for (const [key, value] of Object.entries(assignments(rest))) stage.env[key] = local(value);
  else if (name === "COPY") copy(rest, stage, stages, context);
  else if (name === "USER") stage.uid = Number(rest.split(":")[0]);
  else if (name === "ENTRYPOINT" || name === "CMD")
    stage.command.push(.../** @type {string[]} */ (JSON.parse(rest)).map(local));
  else if (name === "RUN") {
    mkdirSync(join(stage.directory, stage.workdir), { recursive: true });
    mkdirSync(join(stage.directory, "usr/local/bin"), { recursive: true });
    return run("sh", ["-c", local(rest)], { cwd: join(stage.directory, stage.workdir), env: stage.env });
  } else if (!["LABEL", "EXPOSE", "STOPSIGNAL"].includes(name))
    return { ok: false, output: `${name} is not known here` };
  return { ok: true, output: "" };
}

/** @param {string} directory @returns {Promise<Outcome>} */
async function buildAndRun(directory) {
  const context = join(directory, "context");
  await copyContext(context);
  /** @type {Record<string, Stage>} */
  const stages = {};
  let stage = /** @type {Stage | undefined} */ (undefined);
  for (const instruction of instructions()) {
    if (instruction.name === "FROM") {
      const name = / AS (\w+)/.exec(instruction.rest)?.[1] ?? "final";
      stage = { directory: join(directory, name), workdir: "/", env: {}, command: [] };
      stages[name] = stage;
      continue;
    }
    if (!stage) continue;
    const { ok, output } = await execute(instruction, stage, stages, context);
    if (!ok) return { ok, output: `${instruction.name} ${instruction.rest}\n${output}` };
  }
  const image = stages.final;
  if (!image?.uid) return { ok: false, output: "the image has no user of its own\n" };
  // What only root may read would hide in a test that runs as root.
  for (let folder = image.directory; folder.startsWith(directory); folder = dirname(folder))
    chmodSync(folder, 0o755);
  const workdir = join(image.directory, image.workdir);
  mkdirSync(workdir, { recursive: true });
  if (existsSync(join(image.directory, "opt/parallax/apps/control-plane/src")))
    return { ok: false, output: "sources are in the image\n" };
  const [command = "", ...args] = image.command;
  const port = await freePort();
  const env = {
    PATH: process.env.PATH,
    ...image.env,
    PARALLAX_PORT: String(port),
    PARALLAX_HOST: "127.0.0.1",
  };
  const uid = process.getuid?.() === 0 ? { uid: image.uid } : {};
  return tryNode({ command, args, env, cwd: workdir, port, ...uid });
}

/** @returns {Promise<Outcome>} */
export async function checkDockerfile() {
  const directory = mkdtempSync(join(tmpdir(), "parallax-image-"));
  try {
    return await buildAndRun(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
