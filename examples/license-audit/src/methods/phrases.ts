import { type Classification, unrecognised } from "../classification.ts";
import { PASSAGE_CHARACTERS, type PhraseRule, REFERENCES, TERMS } from "./phrase-rules.ts";

/** A reference stands at the top of its file; further down it is about something else. In characters. */
const REFERENCE_WITHIN = 600;

interface Match {
  readonly license: string;
  readonly position: number;
  /** Length of the phrase that was found: of two at one place the longer is the more telling. */
  readonly length: number;
}

/**
 * Method 2: which licence says what this text says?
 *
 * Rules written by hand name the words with which a licence grants what it grants, what it then must say, and what would
 * make it another one. Of several licences in one file the first counts. A file without terms may still refer to a licence
 * by name or address, which is answered with less confidence.
 *
 * It only knows the licences of its rules, and a text that paraphrases one escapes it.
 */
export function classifyByPhrases(text: string): Classification {
  const words = normalise(text);
  const terms = matches(TERMS, words);
  const own = first(terms);
  if (own !== undefined) {
    const others = terms.some(({ license }) => license !== own.license);
    return { result: own.license, confidence: others ? 0.8 : 0.95 };
  }
  const reference = first(matches(REFERENCES, words.slice(0, REFERENCE_WITHIN)));
  if (reference !== undefined) return { result: reference.license, confidence: 0.6 };
  return unrecognised;
}

/** Lower case, every run of anything but letters and digits one space: blind to wrapping, quotes, bullets and markup. */
export function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, " ")
    .trim();
}

function matches(rules: readonly PhraseRule[], words: string): Match[] {
  return rules.flatMap((rule) => rule.starts.flatMap((phrase) => match(rule, phrase, words) ?? []));
}

/** The first place where the phrase begins a passage that satisfies the rule. */
function match(rule: PhraseRule, phrase: string, words: string): Match | undefined {
  for (let position = find(phrase, words, 0); position >= 0; ) {
    const next = find(phrase, words, position + phrase.length);
    const passage = words.slice(position, passageEnd(rule, position, next));
    if (satisfies(rule, passage)) return { license: rule.license, position, length: phrase.length };
    position = next;
  }
  return undefined;
}

function passageEnd(rule: PhraseRule, position: number, next: number): number | undefined {
  if (rule.wholeText) return undefined;
  const longest = position + PASSAGE_CHARACTERS;
  return next < 0 ? longest : Math.min(longest, next);
}

function satisfies({ says = [], lacks = [] }: PhraseRule, passage: string): boolean {
  return (
    says.every((phrase) => passage.includes(phrase)) && !lacks.some((phrase) => passage.includes(phrase))
  );
}

/** Finds whole words only: "mit license" is not in "permit license". */
function find(phrase: string, words: string, from: number): number {
  return ` ${words} `.indexOf(` ${phrase} `, from);
}

function first(found: readonly Match[]): Match | undefined {
  return [...found].sort((a, b) => a.position - b.position || b.length - a.length)[0];
}
