import { registerElsewhere } from "./commands/elsewhere.ts";
import { createProgram, runProgram } from "./program.ts";

process.exitCode = await runProgram(createProgram({ commands: [registerElsewhere] }), process.argv.slice(2));
