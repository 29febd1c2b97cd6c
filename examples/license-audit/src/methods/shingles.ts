/** A dictionary of words that turns texts into shingles: overlapping runs of three words, each one number. */
export interface Shingler {
  /** The shingles of a text, in its order. With `learn`, words not seen before are added to the dictionary. */
  shingles(text: string, options?: { readonly learn?: boolean }): number[];
}

// Three word numbers below 2^17 make one integer below 2^51, which a double holds exactly.
const DICTIONARY_SIZE = 2 ** 17;
const UNKNOWN_WORD = 0;

export function createShingler(): Shingler {
  const numbers = new Map<string, number>();
  const numberOf = (word: string, learn: boolean): number => {
    const known = numbers.get(word);
    if (known !== undefined) return known;
    if (!learn || numbers.size + 1 >= DICTIONARY_SIZE) return UNKNOWN_WORD;
    numbers.set(word, numbers.size + 1);
    return numbers.size;
  };
  return {
    shingles(text, { learn = false } = {}) {
      const result: number[] = [];
      let first = UNKNOWN_WORD;
      let second = UNKNOWN_WORD;
      let count = 0;
      for (const word of licenseWords(text)) {
        const third = numberOf(word, learn);
        count += 1;
        if (count >= 3) result.push((first * DICTIONARY_SIZE + second) * DICTIONARY_SIZE + third);
        first = second;
        second = third;
      }
      return result;
    },
  };
}

// "Copyright (c) 2020 Name", but not a line that happens to be wrapped before "copyright notice" or "copyright holders".
const COPYRIGHT_LINE =
  /^[\s*#/>-]*(?:(?:portions\s+)?copyright(?!\s+(?:notice|holder|owner|law|licen|interest|and|or|in)\w*\b)|\(c\)|©|all rights reserved)/i;

/** The words of a licence without what differs from one holder to the next: copyright lines, placeholders, addresses. */
export function licenseWords(text: string): string[] {
  const kept = text
    // What follows are instructions for applying the licence, which some copies have and others leave out.
    .replace(/^.*end of (?:the )?terms and conditions[\s\S]*/im, "")
    .split(/\r?\n/)
    .filter((line) => !COPYRIGHT_LINE.test(line))
    .join("\n")
    .toLowerCase()
    .replace(/https?:\/\/\S+|\S+@\S+\.\S+|<[^>\n]{1,40}>/g, " ");
  return kept.match(/[a-z0-9]+/g) ?? [];
}
