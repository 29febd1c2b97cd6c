// Looks at the packages as their users get them: packed, linted, installed together in an empty project, and with the
// TypeScript snippets of each README type-checked there, and the first one run.
//
//   node scripts/check-packages.mjs lint DIRECTORY    packs into the directory; publint and attw
//   node scripts/check-packages.mjs use DIRECTORY     installs and runs what lint has packed there

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { transform } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pnpm, root, run } from "./command.mjs";
import { publishedPackages, tarball } from "./packages.mjs";

/** How long the snippet of a README may run. */
const snippetTimeoutMs = 30_000;

/** How users may have TypeScript find the types. */
const resolutions = [
  ["--module", "nodenext"],
  ["--module", "node16"],
  ["--module", "esnext", "--moduleResolution", "bundler"],
];

/** How many programs run at once. */
const concurrency = 2;

/** @typedef {import("./packages.mjs").Package} Package */

const packages = publishedPackages();

/**
 * What `check` finds wrong with each package, in order.
 *
 * @param {(published: Package) => Promise<string[]>} check
 */
async function forEachPackage(check) {
  const results = packages.map(() => /** @type {string[]} */ ([]));
  const queue = [...packages.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, published] = next;
      results[index] = (await check(published)).map((problem) => `${published.manifest.name}: ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return results.flat();
}

/**
 * What a package lacks, or should not bring.
 *
 * @param {Package} published
 * @param {readonly string[]} files
 */
function contentProblems({ manifest }, files) {
  const needed = ["LICENSE", "README.md", "package.json"].map((name) => `package/${name}`);
  const lacking = needed.filter((file) => !files.includes(file));
  const odd = files.filter((file) => !needed.includes(file) && !/^package\/(dist|bin)\//.test(file));
  const facts = ["description", "keywords", "homepage", "bugs", "repository"].filter(
    (key) => !(key in manifest),
  );
  return [
    ...lacking.map((file) => `its package has no ${file}`),
    ...odd.map((file) => `its package has ${file}, which does not belong there`),
    ...facts.map((key) => `its package.json has no ${key}`),
  ];
}

/** @param {string} directory */
async function lint(directory) {
  const filters = packages.flatMap(({ manifest }) => ["--filter", manifest.name]);
  const packed = await pnpm([...filters, "pack", "--pack-destination", directory]);
  if (!packed.ok) return [packed.output];
  return forEachPackage(async (published) => {
    const file = tarball(directory, published);
    const content = readFileSync(file);
    const archive = /** @type {ArrayBuffer} */ (
      content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength)
    );
    const { messages, pkg } = await publint({ pack: { tarball: archive }, strict: true });
    const listed = await run("tar", ["tzf", file]);
    const types = await run(join(root, "node_modules/.bin/attw"), [
      file,
      "--profile",
      "esm-only",
      "--no-color",
    ]);
    return [
      ...contentProblems(published, listed.output.trim().split("\n")),
      ...messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`),
      ...(types.ok ? [] : [`attw: ${types.output}`]),
    ];
  });
}

/**
 * The TypeScript snippets of the README in a folder.
 *
 * @param {string} folder
 */
function snippetsOf(folder) {
  const readme = readFileSync(join(root, folder, "README.md"), "utf8");
  return [...readme.matchAll(/^```ts\b[^\n]*\n([\s\S]*?)^```/gm)].map(([, snippet = ""]) => snippet);
}

/**
 * An empty project, outside the workspace, with every package installed from its tarball.
 *
 * @param {string} project
 * @param {string} directory
 */
async function installAll(project, directory) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { devDependencies: peers } = JSON.parse(
    readFileSync(join(root, "packages/redis/package.json"), "utf8"),
  );
  mkdirSync(project, { recursive: true });
  const manifest = {
    private: true,
    type: "module",
    dependencies: {
      ...Object.fromEntries(packages.map((one) => [one.manifest.name, `file:${tarball(directory, one)}`])),
      ioredis: peers.ioredis,
    },
    devDependencies: { "@types/node": devDependencies["@types/node"] },
  };
  const compilerOptions = {
    target: "es2022",
    lib: ["es2023", "esnext.disposable"],
    module: "nodenext",
    strict: true,
  };
  const tsconfig = {
    compilerOptions: { ...compilerOptions, types: ["node"], noEmit: true, skipLibCheck: true },
  };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ ...tsconfig, include: ["*.mts"] }));
  return run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: project,
  });
}

/**
 * @param {string} project
 * @param {Package} published
 */
async function runSnippet(project, published) {
  const [snippet] = snippetsOf(published.folder);
  /** @type {string[]} */
  const problems = [];
  if (snippet === undefined) problems.push("README.md has no ```ts snippet to run");
  else {
    const name = published.folder.replace("/", "-");
    const { code } = await transform(snippet, { loader: "ts", format: "esm", target: "node20.19" });
    writeFileSync(join(project, `${name}.mjs`), code);
    const ran = await run(process.execPath, [`${name}.mjs`], { cwd: project, timeoutMs: snippetTimeoutMs });
    if (!ran.ok) problems.push(`the README's first snippet failed:\n${ran.output}`);
  }
  for (const bin of Object.values(published.manifest.bin ?? {})) {
    const program = join("node_modules", published.manifest.name, bin);
    const ran = await run(process.execPath, [program, "--help"], {
      cwd: project,
      timeoutMs: snippetTimeoutMs,
    });
    if (!ran.ok) problems.push(`${bin} --help failed:\n${ran.output}`);
  }
  return problems;
}

/**
 * Type-checks every snippet, that of the front page too, against the declarations that the packages ship.
 *
 * @param {string} project
 */
async function checkTypes(project) {
  for (const folder of [".", ...packages.map((published) => published.folder)]) {
    const name = folder === "." ? "front-page" : folder.replace("/", "-");
    for (const [index, snippet] of snippetsOf(folder).entries())
      writeFileSync(join(project, `${name}-${index}.mts`), snippet);
  }
  /** @type {string[]} */
  const problems = [];
  for (const flags of resolutions) {
    const args = ["--pretty", "false", ...flags];
    const checked = await run(join(root, "node_modules/.bin/tsc"), args, { cwd: project });
    if (!checked.ok)
      problems.push(`snippets of READMEs do not type-check, ${flags.join(" ")}:\n${checked.output}`);
  }
  return problems;
}

/**
 * CommonJS loads ES modules on every Node that is supported: each entry of each package with `require()`.
 *
 * @param {string} project
 */
async function checkRequire(project) {
  const names = packages.flatMap(({ manifest }) =>
    Object.keys(manifest.publishConfig?.exports ?? {})
      .filter((entry) => !entry.endsWith(".json"))
      .map((entry) => manifest.name + entry.slice(1)),
  );
  const lines = names.map((name) => `require("${name}");`);
  writeFileSync(join(project, "require.cjs"), `${lines.join("\n")}\nprocess.exit();\n`);
  const { ok, output } = await run(process.execPath, ["require.cjs"], {
    cwd: project,
    timeoutMs: snippetTimeoutMs,
  });
  return ok && names.length > 0 ? [] : [`require() of packages failed:\n${output}`];
}

/** @param {string} directory */
async function use(directory) {
  const project = join(directory, "project");
  const installed = await installAll(project, directory);
  if (!installed.ok) return [installed.output];
  const types = await checkTypes(project);
  return [
    ...types,
    ...(await checkRequire(project)),
    ...(await forEachPackage((published) => runSnippet(project, published))),
  ];
}

const [action, directory] = process.argv.slice(2);
if (directory === undefined || (action !== "lint" && action !== "use")) {
  console.error("usage: check-packages.mjs lint|use DIRECTORY");
  process.exit(2);
}
const problems = await (action === "lint" ? lint(directory) : use(directory));
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
