// Swagger UI, beside the code that serves it under /docs: it is not a dependency, so that it brings nothing along. And the
// licence of this package, which pnpm leaves out of a package that has a file of that name somewhere.
import { cpSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const source = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const target = join(import.meta.dirname, "dist", "swagger-ui");
for (const file of [
  "swagger-ui-bundle.js",
  "swagger-ui-bundle.js.LICENSE.txt",
  "swagger-ui.css",
  "LICENSE",
  "NOTICE",
])
  cpSync(join(source, file), join(target, file));
cpSync(join(import.meta.dirname, "../../LICENSE"), join(import.meta.dirname, "LICENSE"));
