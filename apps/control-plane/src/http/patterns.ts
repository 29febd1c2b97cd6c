import { ParallaxError } from "@parallax/core";
import { getPattern, listPatterns, putPattern } from "@parallax/protocol";
import type { Patterns } from "../patterns/registry.ts";
import { listPage } from "./pages.ts";
import type { RawInput, Router } from "./route.ts";

/** `/api/patterns` */
export function addPatternRoutes(router: Router, patterns: Patterns): void {
  router.add(listPatterns, async ({ query }) => {
    const { items, cursor } = await listPage(query, patterns.list);
    return { patterns: items, ...(cursor === undefined ? {} : { cursor }) };
  });
  router.add(getPattern, ({ params: { name } }) => patterns.get(name));
  router.add(
    putPattern,
    async ({ params: { name }, body }) => {
      if (body.name !== name) {
        const message = `reading the pattern: its name is ${body.name}, but the path says ${name}; write it once`;
        throw new ParallaxError("invalid_request", message);
      }
      return patterns.put(body);
    },
    nameByPath,
  );
}

/** The body may leave out the name that the path says. */
function nameByPath(input: RawInput): RawInput {
  return { ...input, body: { name: input.params.name, ...Object(input.body) } };
}
