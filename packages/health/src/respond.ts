import type { HealthOptions, HealthSnapshot } from "./health.ts";

/** The answer of a probe: `application/health+json` (draft-inadarei-api-health-check-06). */
export function respond(
  request: { readonly url: string; readonly method: string },
  snapshot: HealthSnapshot,
  { serviceId, version }: Pick<HealthOptions, "serviceId" | "version">,
): Response {
  const { pathname } = new URL(request.url, "http://localhost");
  const about = {
    ...(serviceId === undefined ? {} : { serviceId }),
    ...(version === undefined ? {} : { version }),
  };
  switch (pathname) {
    case "/health/live":
      return answer(snapshot.live, { status: snapshot.live ? "pass" : "fail", ...about });
    case "/health/ready":
      return answer(snapshot.ready, {
        status: snapshot.status,
        state: snapshot.state,
        ...about,
        ...reasons(snapshot),
      });
    case "/health":
      return answer(snapshot.ready, {
        status: snapshot.status,
        state: snapshot.state,
        ...about,
        checks: details(snapshot),
      });
    default:
      return new Response(null, { status: 404 });
  }
}

function answer(ok: boolean, body: object): Response {
  const headers = { "Content-Type": "application/health+json", "Cache-Control": "no-store" };
  return new Response(JSON.stringify(body), { status: ok ? 200 : 503, headers });
}

/** Why it is not simply well, in one field. */
function reasons({ checks }: HealthSnapshot): { output?: string } {
  const outputs = Object.entries(checks).flatMap(([name, { status, output }]) =>
    status === "pass" ? [] : [`${name}: ${output ?? status}`],
  );
  return outputs.length === 0 ? {} : { output: outputs.join("; ") };
}

function details({ checks }: HealthSnapshot): Record<string, readonly object[]> {
  return Object.fromEntries(
    Object.entries(checks).map(([name, { atMs, ...finding }]) => [
      name,
      [{ ...finding, time: new Date(atMs).toISOString() }],
    ]),
  );
}
