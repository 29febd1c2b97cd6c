import { ParallaxError } from "@parallax/core";

/** Largest JSON of an event or message, in bytes: they refer to records and do not carry them (S7). */
const maxBytes = 16_384;

/**
 * The JSON text of an event or a message.
 * @throws ParallaxError `invalid_event` if it has no type or is no JSON, `event_too_large` above 16 KiB.
 */
export function encodeEvent(event: { readonly type: string }, what: string): string {
  const json = toJson(event, what);
  if (typeof event.type !== "string" || event.type === "")
    throw new ParallaxError(
      "invalid_event",
      `${what} needs an event with a type; give it a non-empty string`,
    );
  // A character has three bytes at most.
  if (json.length * 3 <= maxBytes) return json;
  const sizeBytes = Buffer.byteLength(json);
  if (sizeBytes <= maxBytes) return json;
  throw new ParallaxError(
    "event_too_large",
    `${what} is limited to ${maxBytes} bytes of JSON and this event has ${sizeBytes}; send a reference to a record`,
    { details: { sizeBytes, maxBytes } },
  );
}

function toJson(event: unknown, what: string): string {
  try {
    const json: string | undefined = JSON.stringify(event);
    if (json?.startsWith("{")) return json;
  } catch (cause) {
    throw new ParallaxError("invalid_event", `${what} needs an event that is JSON; take out what is not`, {
      cause,
    });
  }
  throw new ParallaxError("invalid_event", `${what} needs an event that is an object; pass {type: …}`);
}

/** @throws ParallaxError `invalid_topic` unless the name can stand in keys and cursors. */
export function checkTopic(topic: unknown): void {
  if (typeof topic === "string" && /^[\w-]{1,64}$/.test(topic)) return;
  throw new ParallaxError(
    "invalid_topic",
    `using topic ${shown(topic)}: a name has 1 to 64 letters, digits, - or _`,
  );
}

/** @throws ParallaxError `invalid_node` unless the name can stand in a channel's. */
export function checkNodeId(nodeId: unknown): void {
  if (typeof nodeId === "string" && /^[\w.:@-]{1,200}$/.test(nodeId)) return;
  throw new ParallaxError(
    "invalid_node",
    `naming node ${shown(nodeId)}: a node's id has 1 to 200 letters, digits or any of ._:@-`,
  );
}

/** @throws ParallaxError `invalid_key` for what is no text, or very long. Braces mean nothing in a key. */
export function checkKey(key: unknown): void {
  if (key === undefined || (typeof key === "string" && key.length <= 1024)) return;
  throw new ParallaxError(
    "invalid_key",
    `publishing with key ${shown(key)}: a key has at most 1024 characters`,
  );
}

/** @throws ParallaxError `invalid_options` unless a log may keep something. */
export function checkLogBounds(maxEntries: number, maxAgeMs: number): void {
  if (Number.isSafeInteger(maxEntries) && maxEntries > 0 && maxAgeMs > 0) return;
  throw new ParallaxError(
    "invalid_options",
    `keeping logs with maxEntries ${maxEntries} and maxAgeMs ${maxAgeMs}: both have to be positive, maxEntries a whole number`,
  );
}

/** As much of a wrong value as helps to find it. */
function shown(value: unknown): string {
  const text = String(typeof value === "string" ? JSON.stringify(value) : value);
  return text.length > 80 ? `${text.slice(0, 80)}… (${text.length} characters)` : text;
}
