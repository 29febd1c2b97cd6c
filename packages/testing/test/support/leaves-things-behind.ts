import { startRedis } from "../../src/redis-server.ts";

// Starts what a test would stop, says where it is, and does not stop it.
const redis = await startRedis();
const reply = await redis.send("CONFIG", "GET", "dir");
console.log(`left ${redis.pid} ${Array.isArray(reply) ? reply[1] : ""}`);
setInterval(() => {}, 1000);
