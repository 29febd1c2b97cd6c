import type { ParallaxClient } from "@parallax/client";
import type { Command } from "commander";
import type { Io } from "./io.ts";
import { nodeFetch } from "./node-fetch.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  /** `--url`, else `PARALLAX_URL`, else `http://localhost:8080`; several are separated by commas. */
  readonly urls: readonly string[];
  /** `--token`, else `PARALLAX_TOKEN`. */
  readonly token: string | undefined;
  readonly json: boolean;
}

/** What a command works with. */
export interface CliContext {
  readonly io: Io;
  globals(): GlobalOptions;
  /** A client of the cluster that the options name. Loaded when it is first asked for. */
  client(): Promise<ParallaxClient>;
  /** Writes `value` as JSON with `--json`, else the text that `render` makes. */
  print<T>(value: T, render: (value: T) => string): void;
  /** A table without lines that fits the terminal, its columns two spaces apart. What draws it is loaded when it is first asked for. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): Promise<string>;
}

/** Adds a command to the program, or to a group of it. */
export type RegisterCommand = (parent: Command, context: CliContext) => void;

/** Makes the context of `program`'s commands. */
export function createContext(program: Command, io: Io): CliContext {
  function globals(): GlobalOptions {
    const options = program.opts<{ url?: string; token?: string; json?: boolean }>();
    const url = options.url ?? io.env.PARALLAX_URL ?? "http://localhost:8080";
    const urls = url.split(",").map((part) => part.trim());
    return { urls, token: options.token ?? io.env.PARALLAX_TOKEN, json: options.json ?? false };
  }

  return {
    io,
    globals,
    async client() {
      const { createClient } = await import("@parallax/client");
      const { urls, token } = globals();
      return createClient({ url: urls, fetch: nodeFetch, ...(token ? { token } : {}) });
    },
    async table(head, rows) {
      const { renderTable } = await import("./render/table.ts");
      return renderTable(head, rows, io.columns);
    },
    print(value, render) {
      io.out(globals().json ? JSON.stringify(value, undefined, io.isTty ? 2 : 0) : render(value));
    },
  };
}
