import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: ["packages/*", "apps/*", "examples/*", "scripts"],
    // Many tests start servers of their own: more workers than cores would only make them wait for each other.
    maxWorkers: 2,
  },
});
