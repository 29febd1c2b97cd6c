import type { HealthOptions, HealthSnapshot } from "./health.ts";

/** The answer of a probe: `application/health+json` (draft-inadarei-api-health-check-06). */
export function respond(
  request: { readonly url: string; readonly method: string },
  snapshot: HealthSnapshot,
  service: Service,
): Response {
  const { pathname } = new URL(request.url, "http://localhost");
  if (!paths.has(pathname)) return new Response(null, { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response(null, { status: 405, headers: { Allow: "GET, HEAD" } });
  }
  const response = answerTo(pathname, snapshot, service);
  return request.method === "GET" ? response : new Response(null, response);
}

/** What answers say of the process itself. */
type Service = Pick<HealthOptions, "serviceId" | "version">;

const paths: ReadonlySet<string> = new Set(["/health", "/health/live", "/health/ready"]);

function answerTo(pathname: string, snapshot: HealthSnapshot, { serviceId, version }: Service): Response {
  const about = {
    ...(serviceId === undefined ? {} : { serviceId }),
    ...(version === undefined ? {} : { version }),
  };
  switch (pathname) {
    case "/health/live":
      return answer(snapshot.live, { status: "pass", ...about });
    case "/health/ready":
      return answer(snapshot.ready, {
        status: snapshot.status,
        state: snapshot.state,
        ...about,
        ...reasons(snapshot),
      });
    default:
      return answer(snapshot.ready, {
        status: snapshot.status,
        state: snapshot.state,
        ...about,
        checks: details(snapshot),
      });
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
