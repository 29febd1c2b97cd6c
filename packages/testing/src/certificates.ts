import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createTemporaryDirectory } from "./temporary-directory.ts";

const run = promisify(execFile);

/** Files of an authority, and of a certificate of `localhost` that it vouches for, good for servers and clients. */
export interface Certificates {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** What a Redis server takes to speak TLS on a port, beside plain TCP on its own. */
  redisConfig(tlsPort: number): Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

/** Makes them with openssl, in a temporary folder. */
export async function createCertificates(): Promise<Certificates> {
  const directory = await createTemporaryDirectory("certificates");
  const openssl = (...args: string[]): Promise<unknown> => run("openssl", args, { cwd: directory.path });
  const key = ["-newkey", "rsa:2048", "-nodes"];
  const days = ["-days", "2"];
  await openssl(
    "req",
    "-x509",
    ...key,
    ...days,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-subj",
    "/CN=Test CA",
  );
  await openssl("req", ...key, "-keyout", "one.key", "-out", "one.csr", "-subj", "/CN=localhost");
  const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
  await openssl("x509", "-req", "-in", "one.csr", ...authority, "-out", "one.crt", ...days);
  const file = (name: string): string => join(directory.path, name);
  const [caFile, certFile, keyFile] = [file("ca.crt"), file("one.crt"), file("one.key")];
  return {
    caFile,
    certFile,
    keyFile,
    redisConfig: (tlsPort) => ({
      "tls-port": String(tlsPort),
      "tls-ca-cert-file": caFile,
      "tls-cert-file": certFile,
      "tls-key-file": keyFile,
    }),
    remove: () => directory.remove(),
  };
}
