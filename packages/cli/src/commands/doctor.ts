import { ParallaxError } from "@parallax/core";
import type { CliContext, RegisterCommand } from "../context.ts";
import { nodeFetch } from "../node-fetch.ts";

interface DoctorOptions {
  readonly strict?: boolean;
}

/** `parallax doctor` */
export const registerDoctor: RegisterCommand = (parent, context) => {
  parent
    .command("doctor")
    .description("look for what is wrong in a cluster, and say how to mend it; asks every address of --url")
    .option("--strict", "fail for warnings, too")
    .addHelpText(
      "after",
      "\nExample:\n  $ parallax doctor --url http://node-0:8080,http://node-1:8080,http://node-2:8080",
    )
    .action((options: DoctorOptions) => doctor(context, options));
};

async function doctor(context: CliContext, { strict = false }: DoctorOptions): Promise<void> {
  const { createClient } = await import("@parallax/client");
  const { collectEvidence } = await import("../doctor/evidence.ts");
  const { examine } = await import("../doctor/examine.ts");
  const { renderFindings } = await import("../render/findings.ts");
  const { colorsOf } = await import("../render/colors.ts");
  const { urls, token } = context.globals();
  const evidence = await collectEvidence(urls, (url) =>
    createClient({ url, fetch: nodeFetch, timeout: 15_000, ...(token === undefined ? {} : { token }) }),
  );
  const findings = examine(evidence);
  const failing = findings.filter(
    ({ severity }) => severity === "error" || (strict && severity === "warning"),
  );
  context.print({ ok: failing.length === 0, findings }, (found) =>
    renderFindings(found.findings, colorsOf(context.io), context.io.columns),
  );
  if (failing.length === 0) return;
  const names = [...new Set(failing.map(({ check }) => check))];
  const message = `examining the cluster: ${names.join(", ")} ${names.length === 1 ? "needs" : "need"} attention; do what is written above`;
  throw new ParallaxError("unwell", message);
}
