import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ParallaxError } from "@parallax/core";
import { describeApi, getDescription, getReference, getReferenceFile } from "@parallax/protocol";
import type { Context } from "hono";
import type { Router } from "./route.ts";

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parallax API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> does not.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`;

const start = `SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

/** The page loads nothing from elsewhere, so it works where there is no way out. */
const pageHeaders = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  "Cache-Control": "no-cache",
};

const types: ReadonlyMap<string, string> = new Map([
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
]);

/** `/openapi.json`, and `/docs` to browse it. */
export function addReferenceRoutes(router: Router, { version }: { readonly version: string }): void {
  const description = describeApi({ version });
  const file = createFiles();

  router.add(getDescription, () => description);
  router.add(getReference, () => new Response(page, { headers: pageHeaders }));
  router.add(getReferenceFile, async ({ params }, context) => {
    if (params.file === "start.js")
      return new Response(start, { headers: { "Content-Type": "text/javascript; charset=utf-8" } });
    const type = types.get(params.file);
    if (type === undefined)
      throw new ParallaxError("not_found", `reading /docs/${params.file}: there is no such part; see /docs`);
    return answerFile(context, type, await file(params.file));
  });
}

interface FileContent {
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
}

/** Files are read once, when they are first asked for. */
function createFiles(): (name: string) => Promise<FileContent> {
  const read = new Map<string, Promise<FileContent>>();
  async function load(name: string): Promise<FileContent> {
    const plain = await readFile(join(directory(), name));
    return { plain: new Uint8Array(plain), zipped: new Uint8Array(await promisify(gzip)(plain)) };
  }
  return (name) => {
    const content = read.get(name) ?? load(name);
    read.set(name, content);
    content.catch(() => read.delete(name));
    return content;
  };
}

function answerFile(context: Context, type: string, { plain, zipped }: FileContent): Response {
  const zips = /\bgzip\b/.test(context.req.header("Accept-Encoding") ?? "");
  const headers = { "Content-Type": type, "Cache-Control": "max-age=3600", Vary: "Accept-Encoding" };
  return new Response(zips ? zipped : plain, {
    headers: zips ? { ...headers, "Content-Encoding": "gzip" } : headers,
  });
}

/** Where Swagger UI is: the build copies it beside the code; from source it is where it was installed. */
function directory(): string {
  const copied = join(import.meta.dirname, "swagger-ui");
  if (existsSync(copied)) return copied;
  return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
}
