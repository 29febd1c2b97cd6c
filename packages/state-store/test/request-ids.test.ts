import { seededRandom } from "@parallax/core";
import { describe, expect, it } from "vitest";
import {
  createRequestIds,
  cutLength,
  isRequestId,
  mayHaveForgotten,
  recallRequest,
  rememberedMs,
  rememberedRequests,
  rememberRequest,
} from "../src/request-ids.ts";

describe("the requests that a record remembers", () => {
  it("names them apart, in letters and digits", () => {
    const one = createRequestIds(seededRandom(1));
    const other = createRequestIds(seededRandom(2));
    const ids = Array.from({ length: 1000 }, () => [one(), other()]).flat();
    expect(new Set(ids).size).toBe(2000);
    expect(ids.every((id) => /^[0-9a-z]{11,20}$/.test(id))).toBe(true);
  });

  it("gives back what each led to", () => {
    const first = rememberRequest("", "a", { version: 1, storeTimeMs: 100 });
    const both = rememberRequest(first, "b", { version: 2, storeTimeMs: 200 });
    expect(both).toBe("b/2/200 a/1/100");
    expect(recallRequest(both, "a")).toEqual({ version: 1, storeTimeMs: 100 });
    expect(recallRequest(both, "b")).toEqual({ version: 2, storeTimeMs: 200 });
    for (const other of ["2", "200", "1", "", "c"]) expect(recallRequest(both, other)).toBeUndefined();
  });

  it("forgets the old ones, in time and in number", () => {
    let requests = "";
    for (let at = 1; at <= 40; at += 1)
      requests = rememberRequest(requests, `request-number-${at}`, { version: at, storeTimeMs: at });
    expect(requests.split(" ").length).toBe(rememberedRequests);
    expect(recallRequest(requests, "request-number-25")).toEqual({ version: 25, storeTimeMs: 25 });
    expect(recallRequest(requests, "request-number-24")).toBeUndefined();
    const later = rememberRequest(requests, "late", { version: 41, storeTimeMs: 30 + rememberedMs });
    expect(later.split(" ").length).toBe(12);
  });

  it("cuts only now and then where it is asked often", () => {
    const atMs = 1_795_000_000_000;
    const counts: number[] = [];
    let requests = "";
    for (let at = 1; at <= 400; at += 1) {
      requests = rememberRequest(requests, `request-${at}`, { version: at, storeTimeMs: atMs + at });
      counts.push(requests.split(" ").length);
    }
    expect(Math.min(...counts.slice(rememberedRequests))).toBe(rememberedRequests);
    expect(counts.filter((count) => count === rememberedRequests).length).toBeLessThan(40);
    expect(requests.length).toBeLessThan(2 * cutLength);
    const later = { version: 401, storeTimeMs: atMs + 395 + rememberedMs };
    expect(rememberRequest(requests, "late", later).split(" ").length, "the old ones go all the same").toBe(
      7,
    );
  });

  it("knows when it may have forgotten one", () => {
    let requests = "";
    for (let at = 1; at < rememberedRequests; at += 1) {
      requests = rememberRequest(requests, `request-${at}`, { version: at, storeTimeMs: at });
    }
    expect(mayHaveForgotten(requests, 0, 100), "it has room for more").toBe(false);
    requests = rememberRequest(requests, "one-more", { version: 32, storeTimeMs: 50 });
    expect(mayHaveForgotten(requests, 1, 100)).toBe(true);
    expect(mayHaveForgotten(requests, 2, 100), "it reaches back further").toBe(false);
    expect(mayHaveForgotten(requests, 200, 100), "the clock went back").toBe(true);
  });

  it("takes ids that cannot be mistaken for anything else", () => {
    expect(["abc", "a:b_c.d-9"].every(isRequestId)).toBe(true);
    expect(["", "a b", "a/b", "a\n", "x".repeat(65)].some(isRequestId)).toBe(false);
  });
});
