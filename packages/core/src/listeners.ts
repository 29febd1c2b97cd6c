/** Called with each event, in order, never concurrently with itself as long as it is synchronous. */
export type Listener<Event> = (event: Event) => void;

/** Takes a listener away: it is not called any more, not even with an event that others are being told. Harmless when called again. */
export type Unsubscribe = () => void;

/** A set of listeners: the primitive under every `subscribe` of these packages. */
export interface Listeners<Event> {
  /** Adds a listener, from the next event on. The same function may be added twice and is then called twice. */
  subscribe(listener: Listener<Event>): Unsubscribe;
  /** Calls every listener. One that throws does not keep the others from being called; its error goes to `onError`. */
  emit(event: Event): void;
  readonly size: number;
}

/** Makes a set of listeners. `onError` receives what a listener throws. */
export function createListeners<Event>(onError: (error: unknown) => void): Listeners<Event> {
  const entries = new Set<{ readonly listener: Listener<Event> }>();
  return {
    subscribe(listener) {
      const entry = { listener };
      entries.add(entry);
      return () => {
        entries.delete(entry);
      };
    },
    emit(event) {
      for (const entry of [...entries]) {
        if (!entries.has(entry)) continue;
        try {
          entry.listener(event);
        } catch (error) {
          onError(error);
        }
      }
    },
    get size() {
      return entries.size;
    },
  };
}
