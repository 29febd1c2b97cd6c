import { readFileSync } from "node:fs";
import { createProgram, runProgram } from "@parallax/cli";
import { registerDev } from "./commands/dev.ts";
import { registerStart } from "./commands/start.ts";

const root = new URL("../", import.meta.url);
const { version }: { version: string } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const bin = new URL("bin/parallax.js", root);
const program = createProgram({ commands: [registerStart, registerDev(bin)], version });

process.exitCode = await runProgram(program, process.argv.slice(2));
