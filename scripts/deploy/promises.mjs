// What users of the chart and of the manifests may count on by name and number: guides, commands and dashboards of theirs say it.

import { isDeepStrictEqual } from "node:util";
import { renderChart } from "./charts.mjs";
import { renderOverlay } from "./manifests.mjs";

/** @typedef {import("../command.mjs").Outcome} Outcome */
/** @typedef {import("./objects.mjs").KubernetesObject} KubernetesObject */

const name = "parallax-control-plane";
const nginx = {
  "nginx.ingress.kubernetes.io/affinity": "cookie",
  "nginx.ingress.kubernetes.io/session-cookie-name": "PARALLAX_AFFINITY",
  "nginx.ingress.kubernetes.io/session-cookie-expires": "172800",
};
const alb = {
  "kubernetes.io/ingress.class": "alb",
  "alb.ingress.kubernetes.io/scheme": "internet-facing",
  "alb.ingress.kubernetes.io/target-type": "ip",
  "alb.ingress.kubernetes.io/healthcheck-path": "/health/ready",
  "alb.ingress.kubernetes.io/stickiness.enabled": "true",
  "alb.ingress.kubernetes.io/stickiness.type": "lb_cookie",
};

/** @param {readonly KubernetesObject[]} objects */
function promisesOf(objects) {
  const find = (/** @type {string} */ kind) =>
    objects.find((object) => object.kind === kind && object.metadata.name === name);
  const set = find("StatefulSet")?.spec;
  const pod = set?.template.spec;
  const [container] = pod?.containers ?? [];
  const probe = (
    { httpGet, initialDelaySeconds, periodSeconds, failureThreshold } = container.livenessProbe,
  ) => [httpGet.path, httpGet.port, initialDelaySeconds, periodSeconds, failureThreshold];
  const service = find("Service")?.spec;
  const address = container.env.find(
    (/** @type {{ name: string }} */ one) => one.name === "PARALLAX_ADVERTISE_ADDRESS",
  );
  return [
    ["replicas", set?.replicas, 3],
    ["terminationGracePeriodSeconds", pod.terminationGracePeriodSeconds, 45],
    ["liveness", probe(container.livenessProbe), ["/health/live", 8080, 10, 10, 3]],
    ["readiness", probe(container.readinessProbe), ["/health/ready", 8080, 5, 5, 3]],
    ["the label of Pods", set.template.metadata.labels.app, name],
    [
      "anti-affinity",
      pod.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution,
      [{ labelSelector: { matchLabels: { app: name } }, topologyKey: "kubernetes.io/hostname" }],
    ],
    ["zones", pod.topologySpreadConstraints[0].whenUnsatisfiable, "DoNotSchedule"],
    ["the selector of zones", pod.topologySpreadConstraints[0].labelSelector.matchLabels.app, name],
    ["the address of a node", address?.value, "$(POD_IP):8080"],
    ["the Service's type", service?.type, "ClusterIP"],
    ["the Service's port", [service?.ports[0].port, service?.ports[0].targetPort], [8080, 8080]],
    ["the disruption budget", find("PodDisruptionBudget")?.spec.maxUnavailable, 1],
    [
      "no root",
      [pod.securityContext.runAsNonRoot, container.securityContext.readOnlyRootFilesystem],
      [true, true],
    ],
  ];
}

/** @param {readonly KubernetesObject[]} objects @param {Readonly<Record<string, string>>} annotations */
function ingressOf(objects, annotations) {
  const ingress = objects.find(({ kind }) => kind === "Ingress");
  const [path] = ingress?.spec.rules[0].http.paths ?? [];
  return [
    ["the Ingress's name", ingress?.metadata.name, "parallax"],
    ["its annotations", ingress?.metadata.annotations, annotations],
    ["its path", [path?.path, path?.pathType], ["/", "Prefix"]],
    ["its backend", path?.backend.service, { name, port: { number: 8080 } }],
  ];
}

/** @returns {Promise<Outcome>} */
export async function checkPromises() {
  const chart = await renderChart();
  const found = {
    chart: promisesOf(chart),
    "chart, nginx": ingressOf(await renderChart("--set", "ingress.enabled=true"), nginx),
    "chart, alb": ingressOf(await renderChart("--set", "ingress.enabled=true,ingress.kind=alb"), alb),
    base: promisesOf(await renderOverlay("base")),
    "overlays/nginx-ingress": ingressOf(await renderOverlay("overlays/nginx-ingress"), nginx),
    "overlays/aws-alb": ingressOf(await renderOverlay("overlays/aws-alb"), alb),
  };
  const problems = Object.entries(found).flatMap(([from, promises]) =>
    promises
      .filter(([, is, promised]) => !isDeepStrictEqual(is, promised))
      .map(
        ([what, is, promised]) =>
          `${from}: ${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(promised)}`,
      ),
  );
  return { ok: problems.length === 0, output: `${problems.join("\n")}\n` };
}
