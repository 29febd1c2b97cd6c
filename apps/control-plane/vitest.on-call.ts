import { project } from "../../vitest.base.ts";

const { test, ...base } = project(import.meta.dirname);

/** Real processes, real Prometheus, minutes: run by `pnpm on-call`, and not with the other tests. */
export default {
  ...base,
  test: { ...test, include: ["test/on-call/*.suite.ts"], fileParallelism: false },
};
