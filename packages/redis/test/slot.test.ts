import { describe, expect, it } from "vitest";
import { slotCount, slotOf } from "../src/slot.ts";

describe("the slot of a key", () => {
  it.each([
    // The check value of CRC-16/XMODEM is 0x31c3.
    ["123456789", 0x31c3 % slotCount],
    ["foo", 12_182],
    ["", 0],
    // An empty tag is none.
    ["foo{}{bar}", 8363],
  ])("is the checksum of all of it: %j", (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  it.each([
    ["{user1000}.following", "user1000"],
    ["foo{bar}{zap}", "bar"],
    ["foo{{bar}}zap", "{bar"],
  ])("is that of its hash tag: %s", (key, tag) => {
    expect(slotOf(key)).toBe(slotOf(tag));
  });

  it.each(["foo{}{bar}", "foo{bar", "foo}bar{"])(
    "is that of the whole key where the tag is empty or open: %s",
    (key) => {
      const same = key.replaceAll("{", "<");
      expect(slotOf(key)).not.toBe(slotOf("bar"));
      expect(slotOf(same)).not.toBe(slotOf(key));
    },
  );
});
