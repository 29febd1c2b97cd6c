import { type Classify, UNRECOGNISED, unrecognised } from "../classification.ts";
import { createShingler } from "./shingles.ts";

/** A licence to compare with. */
export interface ReferenceLicense {
  readonly license: string;
  readonly text: string;
}

/** Below this similarity a text is nobody's. */
const RECOGNISED_FROM = 0.5;
/** From this similarity on a window certainly is some licence, if perhaps a variant of it. */
const CERTAIN_FROM = 0.8;
/** How many references are compared closely, of those that the first look finds covered best. */
const SHORT_LIST = 40;
/** The share of the best window's hits with which a window is as good for the choice of the place. */
const NEARLY_BEST = 0.95;
/** How many shingles around a window count too: a text that has a sentence more than the reference is longer than it. */
const WINDOW_MARGIN = 12;

interface IndexedLicense {
  readonly license: string;
  readonly shingles: ReadonlySet<number>;
  /** Number of shingles, repetitions included: the length of the window that is laid over a text. */
  readonly length: number;
}

interface Index {
  readonly licenses: readonly IndexedLicense[];
  /** Positions in `licenses` of those that contain a shingle. */
  readonly holders: ReadonlyMap<number, readonly number[]>;
}

/** A place in a text and how much it is like a reference. */
interface Window {
  readonly license: string;
  /** In shingles from the start of the text. */
  readonly start: number;
  readonly end: number;
  /** Dice coefficient: 0 with nothing, 1 with everything in common. */
  readonly similarity: number;
}

/**
 * Method 1: which of the reference texts reads most like this one?
 *
 * Texts are sets of three-word shingles. A window as long as the reference is laid where it covers most of the text, and
 * the two are compared by the Dice coefficient, so what stands before or after the licence in its file counts little.
 * Shingles are not weighted by rarity: the rarest words in a licence are names, which say nothing about its terms.
 *
 * Of equally similar references the first wins. It knows nothing of what the words mean: a sentence that refers to a
 * licence is like none of the full texts.
 */
export function createSimilarityMethod(references: readonly ReferenceLicense[]): Classify {
  const shingler = createShingler();
  const index = buildIndex(references, (text) => shingler.shingles(text, { learn: true }));
  return (text) => {
    const shingles = shingler.shingles(text);
    const windows = shortList(index, new Set(shingles)).map((candidate) => compare(candidate, shingles));
    const best = mostSimilar(atTheTop(windows));
    if (best === undefined) return unrecognised;
    const result = best.similarity >= RECOGNISED_FROM ? best.license : UNRECOGNISED;
    return { result, confidence: best.similarity };
  };
}

/** A file opens with its own licence, others follow: of the certain windows, those that begin in the first one's first half. */
function atTheTop(windows: readonly Window[]): readonly Window[] {
  const certain = windows.filter(({ similarity }) => similarity >= CERTAIN_FROM);
  const [first] = certain.toSorted((a, b) => a.start - b.start);
  if (first === undefined) return windows;
  return certain.filter(({ start }) => start < (first.start + first.end) / 2);
}

function mostSimilar(windows: readonly Window[]): Window | undefined {
  let best: Window | undefined;
  for (const window of windows) if (window.similarity > (best?.similarity ?? 0)) best = window;
  return best;
}

function buildIndex(references: readonly ReferenceLicense[], shinglesOf: (text: string) => number[]): Index {
  const holders = new Map<number, number[]>();
  const licenses = references.map(({ license, text }, position) => {
    const all = shinglesOf(text);
    const shingles = new Set(all);
    for (const shingle of shingles) {
      const known = holders.get(shingle);
      if (known) known.push(position);
      else holders.set(shingle, [position]);
    }
    return { license, shingles, length: all.length };
  });
  return { licenses, holders };
}

/** The references of which the text contains the largest share, wherever in it. */
function shortList(index: Index, shingles: ReadonlySet<number>): IndexedLicense[] {
  const covered = new Map<number, number>();
  for (const shingle of shingles) {
    for (const position of index.holders.get(shingle) ?? []) {
      covered.set(position, (covered.get(position) ?? 0) + 1);
    }
  }
  return [...covered]
    .flatMap(([position, count]) => {
      const candidate = index.licenses[position];
      return candidate === undefined ? [] : [{ candidate, position, share: count / candidate.shingles.size }];
    })
    .sort((a, b) => b.share - a.share || a.position - b.position)
    .slice(0, SHORT_LIST)
    .sort((a, b) => a.position - b.position)
    .map(({ candidate }) => candidate);
}

/** Lays the window where it fits best and compares what it shows with the reference. */
function compare(candidate: IndexedLicense, shingles: readonly number[]): Window {
  const start = bestStart(candidate, shingles);
  const end = start + candidate.length;
  const shown = new Set(shingles.slice(Math.max(0, start - WINDOW_MARGIN), end + WINDOW_MARGIN));
  let shared = 0;
  for (const shingle of shown) if (candidate.shingles.has(shingle)) shared += 1;
  const similarity = (2 * shared) / (candidate.shingles.size + shown.size);
  return { license: candidate.license, start, end, similarity };
}

/**
 * Where the window of the reference's length starts that shares most with it. A file with notices may hold the same licence
 * several times: of places about as good as the best, the first.
 */
function bestStart(candidate: IndexedLicense, shingles: readonly number[]): number {
  const shared = (position: number): number => {
    const shingle = shingles[position];
    return shingle !== undefined && candidate.shingles.has(shingle) ? 1 : 0;
  };
  let sum = 0;
  const sums = shingles.map((_, end) => {
    sum += shared(end) - shared(end - candidate.length);
    return sum;
  });
  const enough = NEARLY_BEST * sums.reduce((max, value) => Math.max(max, value), 0);
  const first = sums.findIndex((value) => value >= enough);
  // The window becomes good before it fits: it has slid on to the best position of this place by its own length at most.
  const place = sums.slice(first, first + candidate.length);
  const end = first + place.indexOf(Math.max(...place));
  return Math.max(0, end - candidate.length + 1);
}
