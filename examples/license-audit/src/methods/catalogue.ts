import type { Classify } from "../classification.ts";
import { classifyByPhrases } from "./phrases.ts";
import { createSimilarityMethod } from "./similarity.ts";
import { spdxReferences } from "./spdx-references.ts";
import { classifyByStructure } from "./structure.ts";

/** A method by its name. An agent serves exactly one. */
export interface Method {
  readonly name: string;
  /** May take a second: the similarity method indexes the SPDX list. */
  create(): Classify;
}

/** The three methods, in the order of the report's columns. */
export const methods: readonly Method[] = [
  { name: "similarity", create: () => createSimilarityMethod(spdxReferences()) },
  { name: "phrases", create: () => classifyByPhrases },
  { name: "structure", create: () => classifyByStructure },
];
