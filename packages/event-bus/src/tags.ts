import { type Random, randomId } from "@parallax/core";

/**
 * Makes tags that no other entry has (E4): a random text of this bus, and a count. A log that was taken back and gives its
 * numbers again therefore shows other tags, whoever writes them.
 */
export function createTags(random: Random): () => string {
  const own = randomId("", random).slice(0, 14);
  let count = 0;
  return () => {
    count += 1;
    return own + count.toString(36);
  };
}
