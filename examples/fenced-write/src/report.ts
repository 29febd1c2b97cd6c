import type { Client } from "pg";

/** One row that anybody overwrites, and one that refuses a lower token. */
export const createTables = `
  CREATE TABLE unfenced (body text);
  CREATE TABLE fenced (body text, fence bigint NOT NULL);
  CREATE TABLE fence (resource text PRIMARY KEY, token bigint NOT NULL);
  INSERT INTO unfenced VALUES ('nothing yet');
  INSERT INTO fenced VALUES ('nothing yet', 0);
`;

/** The write as it is mostly seen: right as long as there is one leader. */
export async function writeUnfenced(client: Client, body: string): Promise<void> {
  await client.query("UPDATE unfenced SET body = $1", [body]);
}

/** The same write under a token. False if the row has seen a higher one: the writer leads no more. */
export async function writeFenced(client: Client, body: string, token: number): Promise<boolean> {
  const text = "UPDATE fenced SET body = $1, fence = $2 WHERE fence <= $2";
  const { rowCount } = await client.query(text, [body, token]);
  return rowCount === 1;
}

const acceptFenceSql = `
  INSERT INTO fence (resource, token) VALUES ($1, $2)
  ON CONFLICT (resource) DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token
`;

/**
 * For writes that are more than one UPDATE: begin a transaction, ask this first, and roll back if it says false, for then the
 * writer leads no more. The row stays locked until the transaction ends, so a later leader waits for what was begun, and
 * nothing of an earlier one comes after it.
 */
export async function acceptFence(client: Client, resource: string, token: number): Promise<boolean> {
  const { rowCount } = await client.query(acceptFenceSql, [resource, token]);
  return rowCount === 1;
}

/** What the rows say in the end. */
export async function readReports(client: Client): Promise<{ unfenced: string; fenced: string }> {
  const { rows } = await client.query<{ unfenced: string; fenced: string }>(
    "SELECT (SELECT body FROM unfenced) AS unfenced, (SELECT body FROM fenced) AS fenced",
  );
  const [row = { unfenced: "", fenced: "" }] = rows;
  return row;
}
