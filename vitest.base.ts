import { createRequire } from "node:module";
import { basename } from "node:path";
import { defineProject, type UserWorkspaceConfig } from "vitest/config";

/** Packages of the workspace are tested from source, without a build. */
const conditions = ["@parallax/source"];

/** `PARALLAX_IOREDIS=6` runs the tests with the next major of the client, which the packages take as well. */
const alias: Record<string, string> =
  process.env.PARALLAX_IOREDIS === "6"
    ? {
        ioredis: createRequire(new URL("packages/testing/package.json", import.meta.url)).resolve(
          "ioredis-6",
        ),
      }
    : {};

/** The tests of one package: a project that is named as its folder. */
export function project(directory: string): UserWorkspaceConfig {
  return defineProject({
    root: directory,
    resolve: { conditions, alias },
    ssr: { resolve: { conditions } },
    // The oldest supported Node has no `await using`.
    oxc: { target: "node20" },
    test: {
      name: basename(directory),
      include: ["test/**/*.test.ts"],
      environment: "node",
      testTimeout: 30_000,
      // The second that is its default is not enough for a program to start on a busy machine.
      expect: { poll: { timeout: 20_000 } },
      hookTimeout: 60_000,
    },
  });
}
