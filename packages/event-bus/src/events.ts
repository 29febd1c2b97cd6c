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
export function checkTopic(topic: string): void {
  if (/^[\w-]{1,64}$/.test(topic)) return;
  throw new ParallaxError(
    "invalid_topic",
    `using topic ${JSON.stringify(topic)}: a name has 1 to 64 letters, digits, - or _`,
  );
}
