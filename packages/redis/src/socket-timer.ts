import type { Redis } from "ioredis";

/** Where ioredis keeps the timer of its `socketTimeout`. */
const timerName = "socketTimeoutTimer";

/**
 * ioredis 5 forgets the timer of `socketTimeout` when a connection breaks while an answer is due. Left alone it keeps the process
 * from ending, and when it fires it destroys whatever connection the client has by then. ioredis 6 clears it, as this does.
 */
export function clearingSocketTimer(client: Redis): Redis {
  return client.on("close", () => {
    clearTimeout(Reflect.get(client, timerName));
    Reflect.set(client, timerName, undefined);
  });
}
