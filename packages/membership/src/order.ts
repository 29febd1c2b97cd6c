const digits = /(\d+)/;

/**
 * Compares ids as a person would: `node-2` before `node-10`. Numbers inside ids count by their value, everything else by
 * its characters; two different ids are never equal.
 */
export function compareIds(left: string, right: string): number {
  const leftParts = left.split(digits);
  const rightParts = right.split(digits);
  for (let index = 0; index < Math.min(leftParts.length, rightParts.length); index += 1) {
    // Every second part is a run of digits.
    const compare = index % 2 === 1 ? compareNumbers : compareText;
    const order = compare(leftParts[index] ?? "", rightParts[index] ?? "");
    if (order !== 0) return order;
  }
  return leftParts.length - rightParts.length || compareText(left, right);
}

/** Digits of any length, so without a conversion that rounds. */
function compareNumbers(left: string, right: string): number {
  const [shorter, longer] = [left, right].map((text) => text.replace(/^0+/, ""));
  if (shorter === undefined || longer === undefined) return 0;
  return shorter.length - longer.length || compareText(shorter, longer);
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
