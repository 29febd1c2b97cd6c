import { createSimilarityMethod } from "../methods/similarity.ts";
import { spdxReferences } from "../methods/spdx-references.ts";
import { runAgent } from "./run.ts";

await runAgent("similarity", createSimilarityMethod(spdxReferences()));
