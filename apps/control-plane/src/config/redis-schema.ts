import { accessSync, constants } from "node:fs";
import { z } from "zod";
import { count, duration, flag, hostAndPort, relation, span } from "./values.ts";

const pemFile = z
  .string("write a path")
  .refine(isReadable, "name a PEM file that this process may read")
  .optional();

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

const tls = z
  .strictObject({
    enabled: flag.default(true).describe("Whether to speak TLS; `rediss://` in the URL does so, too."),
    caFile: pemFile.describe("The authorities that vouch for Redis. Default: those that Node trusts."),
    certFile: pemFile.describe("The certificate of this client, where Redis asks for one."),
    keyFile: pemFile.describe("The key of that certificate."),
    servername: z.string().min(1).optional().describe("The name in Redis's certificate. Default: the host."),
  })
  .refine(
    ...relation<CertificateFiles>({
      keys: ["certFile", "keyFile"],
      holds: ({ certFile, keyFile }) => certFile !== undefined || keyFile === undefined,
      message: "a certificate and its key go together; name both files",
    }),
  )
  .refine(
    ...relation<CertificateFiles>({
      keys: ["keyFile", "certFile"],
      holds: ({ certFile, keyFile }) => keyFile !== undefined || certFile === undefined,
      message: "a certificate and its key go together; name both files",
    }),
  );

interface CertificateFiles {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

const someNodes = (least: string) =>
  z.array(hostAndPort).min(1, least).describe("Some of them, `host:port`; the rest is found.");
const secret = z.string("write a text; put a number into quotes").optional();

const sentinel = z.strictObject({
  master: z.string().min(1, "write its name").describe("The name of the primary."),
  nodes: someNodes("name at least one Sentinel"),
  username: z.string().optional().describe("The ACL user of the Sentinels themselves."),
  password: secret.describe("The password of the Sentinels themselves.").meta({ secret: true }),
  tls: flag.optional().describe("Whether the Sentinels speak TLS. Default: whether Redis does."),
});

const durability = z.strictObject({
  replicas: z
    .int("write a whole number")
    .min(0, "write 0 or more")
    .optional()
    .describe("How many replicas must have what may not be lost. Default 1 on Sentinel and Cluster, else 0."),
  timeout: span.default(1000).describe("How long to wait for them."),
});

const urlHint = "write redis://host:port or rediss://host:port";

/** Without quoting it: it may hold a password. */
function isRedisUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { hostname, pathname } = new URL(text);
  return hostname !== "" && /^\/?\d*$/.test(pathname);
}

/** Where Redis is, and how it is used. */
export const redis = z.strictObject({
  url: z
    .string(urlHint)
    .regex(/^rediss?:\/\/.+/, { message: urlHint, abort: true })
    .refine(isRedisUrl, urlHint)
    .optional()
    .describe("A single Redis, `redis://user:password@host:6379/0`, or `rediss://` for TLS."),
  cluster: z.strictObject({ nodes: someNodes("name at least one node") }).optional(),
  sentinel: sentinel.optional(),
  username: z.string().optional().describe("The ACL user. Default: the one in the URL."),
  password: secret.describe("The password. Default: the one in the URL.").meta({ secret: true }),
  tls: tls.optional(),
  keyPrefix: z
    .string()
    .regex(/^[^{}\s]*$/, "write it without braces and spaces")
    .default("parallax:")
    .describe("Begins every key. Give each cluster on one Redis its own."),
  outageGrace: duration
    .default(30_000)
    .describe("How long a node that can't reach Redis still counts as ready."),
  durability: durability.prefault({}),
  partitions: count
    .max(256, "write a whole number up to 256")
    .default(16)
    .describe(
      "Into how many parts the records are split. Only on Redis Cluster, fixed for the life of a cluster.",
    ),
});
