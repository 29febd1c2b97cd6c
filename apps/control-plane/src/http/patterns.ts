import { ParallaxError } from "@parallax/core";
import { patternDefinitionSchema, patternNameSchema } from "@parallax/protocol";
import { Hono } from "hono";
import type { Patterns } from "../patterns/registry.ts";
import type { AppEnvironment } from "./app.ts";
import { check, readJson } from "./input.ts";

/** `/api/patterns` */
export function patternRoutes(patterns: Patterns): Hono<AppEnvironment> {
  const routes = new Hono<AppEnvironment>();

  routes.get("/", async (context) => context.json({ patterns: await patterns.list() }));

  routes.get("/:name", async (context) =>
    context.json(await patterns.get(nameOf(context.req.param("name")))),
  );

  routes.put("/:name", async (context) => {
    const name = nameOf(context.req.param("name"));
    const body = await readJson(context);
    const definition = check(patternDefinitionSchema, { name, ...Object(body) }, "the pattern");
    if (definition.name !== name) {
      throw new ParallaxError(
        "invalid_request",
        `reading the pattern: its name is ${definition.name}, but the path says ${name}`,
      );
    }
    return context.json(await patterns.put(definition));
  });

  return routes;
}

function nameOf(name: string): string {
  return check(patternNameSchema, name, "the name of the pattern");
}
