import { classifyByPhrases } from "../methods/phrases.ts";
import { runAgent } from "./run.ts";

await runAgent("phrases", classifyByPhrases);
