import { readFileSync } from "node:fs";
import type { Server } from "node:https";
import { type CancelTimer, type Clock, errorMessage, type Logger, ParallaxError } from "@parallax/core";

/** Where the certificate and its key are. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate with its chain, and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Certificates are renewed by replacing their files: they are looked at this often, in ms. */
const lookEveryMs = 60_000;

/** @throws ParallaxError `invalid_config` */
export function readCertificate({ cert, key }: TlsFiles): Certificate {
  try {
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } catch (cause) {
    const message = `reading server.tls: ${errorMessage(cause)}; name files of PEM that this process may read`;
    throw new ParallaxError("invalid_config", message, { cause });
  }
}

/** Gives the server the certificate that its files have at present. One that is no good leaves the last one in use. */
export function followCertificate(options: {
  readonly files: TlsFiles;
  readonly current: Certificate;
  readonly server: Pick<Server, "setSecureContext">;
  readonly clock: Clock;
  readonly logger: Logger;
}): CancelTimer {
  const { files, server, clock, logger } = options;
  let current = options.current;
  return clock.every(lookEveryMs, () => {
    try {
      const found = readCertificate(files);
      if (found.cert === current.cert && found.key === current.key) return;
      server.setSecureContext(found);
      current = found;
      logger.info("another certificate is in use", { file: files.cert });
    } catch (error) {
      logger.warn("the certificate can't be replaced; the last one stays in use", { error });
    }
  });
}
