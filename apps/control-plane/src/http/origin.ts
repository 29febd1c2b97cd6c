/** What a browser says of the page that a request comes from. */
export interface RequestOrigin {
  readonly origin: string | undefined;
  readonly host: string | undefined;
}

/**
 * Whether a browser sent the request for a page of somewhere else. A node without tokens serves whoever reaches it, and a
 * browser reaches loopback for any page that it shows: such a page must not be able to run, drain or connect anything.
 */
export function isFromElsewhere({ origin, host }: RequestOrigin): boolean {
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}
