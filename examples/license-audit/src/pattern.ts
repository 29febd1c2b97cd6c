/** The pattern that the audit runs; `patterns/content-classifier.yaml` defines it. */
export const PATTERN = "content-classifier";

/** The capability that the pattern asks for. */
export const CAPABILITY = "classification";

/** Names of the agents, one for each method, in the order of the report's columns. */
export const AGENT_NAMES: readonly string[] = ["similarity", "phrases", "structure"];
