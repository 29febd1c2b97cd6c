import { createRequire } from "node:module";
import { z } from "zod";

const manifest: unknown = createRequire(import.meta.url)("@parallax/control-plane/package.json");

/** Of this program. */
export const version: string = z.object({ version: z.string() }).parse(manifest).version;
