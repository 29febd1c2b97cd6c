import { readFileSync } from "node:fs";
import { registerElsewhere } from "./commands/elsewhere.ts";
import { createProgram, runProgram } from "./program.ts";

const manifest: { readonly version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);
const program = createProgram({ commands: [registerElsewhere], version: manifest.version });
process.exitCode = await runProgram(program, process.argv.slice(2));
