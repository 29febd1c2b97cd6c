import { writeFileSync } from "node:fs";
import { MinimalReporter } from "vitest/node";

/** Suites name the backend that they ran on at the beginning of a title: `[redis-standalone] …`. */
const backendTag = /(?:^| > )\[([a-z]+(?:-[a-z]+)*)\] /g;

/** How often a run that says nothing shows that it is alive. */
const progressIntervalMs = 20_000;

/**
 * @typedef {object} Summary
 * @property {number} passed
 * @property {number} failed Failed tests and hooks, files that could not be loaded, and errors outside of any test.
 * @property {string[]} skipped The full names of tests that were skipped or are to be written.
 * @property {Record<string, number>} backends How many tests passed on each backend.
 */

/**
 * Shows failures only, and counts tests by the backend that they ran on. The counts go to the file that
 * `PARALLAX_TEST_SUMMARY` names.
 */
export default class BackendReporter extends MinimalReporter {
  /** @type {Summary} */
  #summary = { passed: 0, failed: 0, skipped: [], backends: {} };
  /** @type {NodeJS.Timeout | undefined} */
  #progress;

  /** @override @param {Parameters<MinimalReporter["onTestRunStart"]>[0]} specifications */
  onTestRunStart(specifications) {
    super.onTestRunStart(specifications);
    const show = () =>
      this.log(`         … ${this.#summary.passed} passed, ${this.#summary.failed} failed so far`);
    this.#progress = setInterval(show, progressIntervalMs).unref();
  }

  /** @override @param {Parameters<MinimalReporter["onTestCaseResult"]>[0]} test */
  onTestCaseResult(test) {
    super.onTestCaseResult(test);
    const { state } = test.result();
    if (state === "failed") this.#summary.failed += 1;
    else if (state === "skipped")
      this.#summary.skipped.push(`${test.module.relativeModuleId} > ${test.fullName}`);
    else if (state === "passed") {
      this.#summary.passed += 1;
      for (const backend of new Set(
        [...test.fullName.matchAll(backendTag)].map((match) => String(match[1])),
      )) {
        this.#summary.backends[backend] = (this.#summary.backends[backend] ?? 0) + 1;
      }
    }
  }

  /** @override @param {Parameters<MinimalReporter["onTestSuiteResult"]>[0]} suite */
  onTestSuiteResult(suite) {
    super.onTestSuiteResult(suite);
    // A hook that failed: its tests were never run.
    if (suite.errors().length > 0) this.#summary.failed += 1;
  }

  /** @override @param {Parameters<MinimalReporter["onTestRunEnd"]>} run */
  onTestRunEnd(...run) {
    super.onTestRunEnd(...run);
    clearInterval(this.#progress);
    const [modules, unhandledErrors] = run;
    const broken = modules.filter((module) => module.errors().length > 0).length;
    this.#summary.failed += broken + unhandledErrors.length;
    const file = process.env.PARALLAX_TEST_SUMMARY;
    if (file !== undefined) writeFileSync(file, JSON.stringify(this.#summary));
  }

  /** @override The summary is written by who started the run. */
  reportTestSummary() {}
}
