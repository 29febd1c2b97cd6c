import { diagnoseCluster, drain, elect, getClusterStatus, stepDown } from "@parallax/protocol";
import type { HighAvailability } from "../high-availability.ts";
import type { DiagnoseCluster } from "../observe/cluster-diagnosis.ts";
import { passedOnHeader } from "../observe/cluster-metrics.ts";
import type { Router } from "./route.ts";

/** `/ha` */
export function addHaRoutes(router: Router, ha: HighAvailability, diagnose: DiagnoseCluster): void {
  router.add(getClusterStatus, () => ha.status());
  router.add(diagnoseCluster, (_, { req }) => {
    const passedOn = req.header(passedOnHeader) !== undefined;
    return diagnose({ authorization: req.header("Authorization"), passedOn });
  });
  router.add(stepDown, (_, { req }) => ha.stepDown(req.raw.signal));
  router.add(elect, ({ body: { force } }, { req }) => ha.elect(force, req.raw.signal));
  router.add(drain, ({ body: { node } }) => ha.drain(node));
}
