import { createProgram, runProgram } from "@parallax/cli";
import { registerConfig } from "./commands/config.ts";
import { registerDev } from "./commands/dev.ts";
import { registerStart } from "./commands/start.ts";
import { version } from "./version.ts";

const bin = new URL("../bin/parallax.js", import.meta.url);
const program = createProgram({ commands: [registerStart, registerDev(bin), registerConfig], version });

process.exitCode = await runProgram(program, process.argv.slice(2));
