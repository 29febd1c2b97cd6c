import { describe, expect, it } from "vitest";
import { parseHostAndPort, parseRedisUrl } from "../src/address.ts";

describe("the URL of a server", () => {
  it.each([
    ["redis://localhost", { host: "localhost", port: 6379, isTls: false }],
    ["redis://10.0.0.1:7000/", { host: "10.0.0.1", port: 7000, isTls: false }],
    ["rediss://cache.example:6380/2", { host: "cache.example", port: 6380, db: 2, isTls: true }],
    ["redis://[::1]:7000", { host: "::1", port: 7000, isTls: false }],
    ["redis://:p%40ss%3Aw%2Ford@h", { host: "h", port: 6379, password: "p@ss:w/ord", isTls: false }],
    [
      "redis://ann%20b:c@h:1/0",
      { host: "h", port: 1, username: "ann b", password: "c", db: 0, isTls: false },
    ],
  ])("%s", (url, address) => {
    expect(parseRedisUrl(url)).toEqual(address);
  });

  it.each([
    "",
    "localhost:6379",
    "http://localhost",
    "redis://",
    "redis://h/db0",
    "redis://h?db=1",
    "redis://h:99999",
  ])("is refused: %j", (url) => {
    expect(() => parseRedisUrl(url)).toThrow(expect.objectContaining({ code: "invalid_options" }));
  });

  it("that is refused does not show its password", () => {
    for (const url of [
      "redis://user:secret@h/x",
      "redis:/user:secret@h",
      "http://user:secret@h",
      "redis://u:secret@h?a",
    ])
      expect(() => parseRedisUrl(url)).toThrow(/^(?!.*secret)/);
  });
});

describe("a node", () => {
  it.each([
    ["redis-1:6379", { host: "redis-1", port: 6379 }],
    ["[fd00::1]:26379", { host: "fd00::1", port: 26_379 }],
  ])("is written as host and port: %s", (text, address) => {
    expect(parseHostAndPort(text)).toEqual(address);
  });

  it.each([
    "redis-1",
    "redis-1:",
    ":6379",
    "redis-1:0",
    "redis-1:70000",
    "redis-1:63x",
    "fd00::1:6379",
    "a b:1",
  ])("is refused: %j", (text) => {
    expect(() => parseHostAndPort(text)).toThrow(expect.objectContaining({ code: "invalid_options" }));
  });
});
