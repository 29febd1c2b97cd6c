import { drainRequestSchema, electRequestSchema } from "@parallax/protocol";
import { Hono } from "hono";
import type { HighAvailability } from "../high-availability.ts";
import type { AppEnvironment } from "./app.ts";
import { check, readJson } from "./input.ts";

/** `/ha` */
export function haRoutes(ha: HighAvailability): Hono<AppEnvironment> {
  const routes = new Hono<AppEnvironment>();
  routes.get("/status", async (context) => context.json(await ha.status()));
  routes.post("/stepdown", async (context) => context.json(await ha.stepDown()));
  routes.post("/elect", async (context) => {
    const { force } = check(electRequestSchema, await readJson(context), "the request");
    return context.json(await ha.elect(force));
  });
  routes.post("/drain", async (context) => {
    const { node } = check(drainRequestSchema, await readJson(context), "the request");
    return context.json(await ha.drain(node), 202);
  });
  return routes;
}
