/** How a licence text is built, without what it says. */
export interface Outline {
  /** The short lines at the top that are not about copyright, in lower case, joined: where a title would stand. */
  readonly header: string;
  /** What the first licence consists of, up to its first paragraph in capitals. */
  readonly prose: { readonly paragraphs: number; readonly words: number };
  readonly items: { readonly count: number; readonly words: number };
  /** Words of the first paragraph in capitals: the disclaimer of short licences; 0 where there is none. */
  readonly capitalWords: number;
  /** Number of all words, copyright lines included. */
  readonly words: number;
}

type BlockKind = "copyright" | "rule" | "short" | "item" | "capitals" | "prose";

interface Block {
  readonly kind: BlockKind;
  readonly text: string;
  readonly words: number;
}

/** Paragraphs of up to so many words may be titles; the shortest paragraph of any licence is longer. */
const SHORT_WORDS = 12;
/** In front of headings and in comments, line by line. */
const LEADER = /^\s*(?:\/\/+|#+|>+|;+|\|)\s?/;
/** In front of each line of a block comment: only where all lines have it, for a single one is a bullet. */
const BLOCK_COMMENT_LEADER = /^\s*(?:\/\*+|\*+\/?)\s?/;
const COPYRIGHT =
  /^\W*(?:(?:portions )?copyright\b(?! (?:notice|holder|owner|law|licen))|\(c\)|©|all rights reserved)/i;
/** A line of its own; right under text it would underline a heading. */
const RULE = /^([-=*_~])\1{3,}$/;
const ITEM = /^(?:[-*•+o–]|\(?\d{1,2}[.)]|\(?[a-z][.)]|\(?[ivx]{1,4}[.)])\s+(?=\S)/i;

/** Titles are looked for among the short lines before so many words of prose: in front of the terms, or of a preface. */
const HEADER_WITHIN_WORDS = 60;

/** Reads the outline of a text: its paragraphs, list items, title lines and capitals. */
export function outlineOf(text: string): Outline {
  const header: string[] = [];
  let prose = { paragraphs: 0, words: 0 };
  let items = { count: 0, words: 0 };
  let wordsBefore = 0;
  let capitalWords = 0;
  for (const { kind, text: content, words } of blocksOf(text)) {
    if (kind === "capitals") {
      capitalWords = words;
      break;
    }
    if (kind === "copyright" || kind === "rule") {
      // Terms follow the copyright line, or a ruled one: what was read until here was a preface.
      prose = { paragraphs: 0, words: 0 };
      items = { count: 0, words: 0 };
      continue;
    }
    if (kind === "short" && wordsBefore <= HEADER_WITHIN_WORDS) header.push(content.toLowerCase());
    if (kind === "prose") prose = { paragraphs: prose.paragraphs + 1, words: prose.words + words };
    if (kind === "item") items = { count: items.count + 1, words: items.words + words };
    if (kind !== "short") wordsBefore += words;
  }
  return { header: header.join(" "), prose, items, capitalWords, words: countWords(text) };
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let lines: string[] = [];
  const close = (): void => {
    if (lines.length > 0) blocks.push(blockOf(lines));
    lines = [];
  };
  for (const line of bareLines(text)) {
    if (line === "") {
      close();
    } else if (COPYRIGHT.test(line) || (RULE.test(line) && lines.length === 0)) {
      close();
      blocks.push(blockOf([line]));
    } else {
      // A short first line over a long one is a title that somebody set without a blank line below it.
      const title = lines.length === 1 && countWords(lines.join(" ")) <= 5 && countWords(line) > 6;
      if (ITEM.test(line) || title) close();
      lines.push(line);
    }
  }
  close();
  return blocks;
}

function bareLines(text: string): string[] {
  const lines = text.split(/\r?\n/);
  const inBlockComment = lines.every((line) => line.trim() === "" || BLOCK_COMMENT_LEADER.test(line));
  const leader = inBlockComment ? BLOCK_COMMENT_LEADER : LEADER;
  return lines.map((line) => line.replace(leader, "").trim());
}

function blockOf(lines: readonly string[]): Block {
  const text = lines.join(" ");
  const words = countWords(text);
  return { kind: kindOf(text, words), text, words };
}

function kindOf(text: string, words: number): BlockKind {
  if (COPYRIGHT.test(text)) return "copyright";
  if (RULE.test(text)) return "rule";
  if (words > SHORT_WORDS && capitalShare(text) > 0.7) return "capitals";
  if (ITEM.test(text) && words > 3) return "item";
  return words <= SHORT_WORDS ? "short" : "prose";
}

function capitalShare(text: string): number {
  const letters = text.match(/[a-z]/gi)?.length ?? 0;
  const capitals = text.match(/[A-Z]/g)?.length ?? 0;
  return letters === 0 ? 0 : capitals / letters;
}

function countWords(text: string): number {
  return text.match(/[\p{L}\p{N}]+(?:['’./-][\p{L}\p{N}]+)*/gu)?.length ?? 0;
}
