/** How many hash slots a Redis Cluster has. */
export const slotCount = 16_384;

/** CRC-16/XMODEM, bit by bit: keys are short and slots are seldom asked for. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

/**
 * The hash slot of a key: of its hash tag if it has one, else of the whole key.
 * Source: the Redis Cluster specification, "Key distribution model" and "Hash tags".
 */
export function slotOf(key: string): number {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open + 1);
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key;
  return crc16(new TextEncoder().encode(hashed)) % slotCount;
}
