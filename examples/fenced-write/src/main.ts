import { fileURLToPath } from "node:url";
import { startPostgres } from "./postgres.ts";
import { openRedis } from "./redis.ts";
import { tour } from "./tour.ts";

const postgres = await startPostgres();
const redis = await openRedis(process.env.REDIS_URL);
try {
  const { unfenced, fenced } = await tour({
    redisUrl: redis.url,
    postgresUrl: postgres.url,
    nodeScript: fileURLToPath(new URL("./node.js", import.meta.url)),
    say: console.log,
  });
  console.log(`the row without a fence: ${unfenced}, though node-1 leads`);
  console.log(`the row with a fence:    ${fenced}`);
} finally {
  await redis.stop();
  await postgres.stop();
}
