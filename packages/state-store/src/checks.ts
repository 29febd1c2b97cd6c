import { ParallaxError } from "@parallax/core";
import { isRequestId } from "./request-ids.ts";

/** Ids become parts of keys, between colons: `parallax:execution:<id>:inbox`. */
const idShape = /^[\w.@#~+=-]{1,200}$/;

/** Indexed values lie in the entries of a sorted set. */
const maxIndexedBytes = 512;

/** @throws ParallaxError `invalid_id` */
export function checkId(collection: string, id: string): void {
  if (typeof id === "string" && idShape.test(id)) return;
  const shown = JSON.stringify(id)?.slice(0, 80);
  const message = `naming a record of ${collection} ${shown}: use 1 to 200 letters, digits and . _ - @ # ~ + =`;
  throw new ParallaxError("invalid_id", message, { details: { collection } });
}

/** @throws ParallaxError `invalid_request_id` */
export function checkRequestId(requestId: string): void {
  if (isRequestId(requestId)) return;
  const message = `changing a record with a request id: use 1 to 64 letters, digits and . _ : -, such as a hash`;
  throw new ParallaxError("invalid_request_id", message);
}

/** A whole number from `min` to `max`. @throws ParallaxError with that code */
export function checkWhole(
  code: "invalid_limit" | "invalid_value",
  what: string,
  value: number,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  const upper = max === Number.MAX_SAFE_INTEGER ? "up" : `to ${max}`;
  throw new ParallaxError(code, `giving ${what} as ${value}: use a whole number from ${min} ${upper}`);
}

/** @throws ParallaxError `too_large` */
export function checkBytes(what: string, bytes: number, limit: number): void {
  if (bytes <= limit) return;
  const message = `writing ${what} of ${bytes} bytes: ${limit} are allowed; store a reference instead, or raise the limit`;
  throw new ParallaxError("too_large", message, { details: { bytes, limit } });
}

/** @throws ParallaxError `too_large` for a value that is too long to be indexed. */
export function checkIndexed(field: string, text: string): void {
  checkBytes(`indexed field ${field}`, Buffer.byteLength(text), maxIndexedBytes);
}

/** @throws ParallaxError `invalid_index` */
export function checkIndex(collection: string, indexes: readonly string[], index: string): void {
  if (indexes.includes(index)) return;
  const known = indexes.length > 0 ? indexes.join(", ") : "none";
  const message = `looking into ${collection} by ${JSON.stringify(index)}: it has no such index (it has ${known}); declare it in \`indexes\``;
  throw new ParallaxError("invalid_index", message, { details: { collection, index } });
}
