import { classifyByStructure } from "../methods/structure.ts";
import { runAgent } from "./run.ts";

await runAgent("structure", classifyByStructure);
