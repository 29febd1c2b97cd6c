import { createRequire } from "node:module";

const manifest: { readonly version: string } = createRequire(import.meta.url)(
  "@parallax/control-plane/package.json",
);

/** Of this program. Every command loads this: it asks for nothing else. */
export const version: string = manifest.version;
