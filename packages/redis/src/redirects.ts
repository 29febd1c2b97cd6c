/**
 * What servers of a Cluster said about who has a slot, beside the list of slots that is read now and then. The list may come
 * from a server that has not heard yet, or may have been asked for before: so a redirection holds until a list agrees with it.
 * That of a server which is wrong by now is corrected by whom it names, or ends with that one's connection.
 */
export interface Redirects {
  /** Where a slot was said to be, as `host:port`. */
  of(slot: number): string | undefined;
  /** A server said that another one has the slot. */
  moved(slot: number, address: string): void;
  /** A list of slots was read, in which `ownerOf` a slot is this one. */
  listed(ownerOf: (slot: number) => string | undefined): void;
}

export function createRedirects(): Redirects {
  const addresses = new Map<number, string>();
  return {
    of: (slot) => addresses.get(slot),
    moved: (slot, address) => void addresses.set(slot, address),
    listed(ownerOf) {
      for (const [slot, address] of addresses) if (ownerOf(slot) === address) addresses.delete(slot);
    },
  };
}
