import { drain, elect, getClusterStatus, stepDown } from "@parallax/protocol";
import type { HighAvailability } from "../high-availability.ts";
import type { Router } from "./route.ts";

/** `/ha` */
export function addHaRoutes(router: Router, ha: HighAvailability): void {
  router.add(getClusterStatus, () => ha.status());
  router.add(stepDown, () => ha.stepDown());
  router.add(elect, ({ body: { force } }) => ha.elect(force));
  router.add(drain, ({ body: { node } }) => ha.drain(node));
}
