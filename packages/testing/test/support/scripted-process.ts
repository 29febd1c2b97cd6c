import { createServer } from "node:http";

// What a test tells it through its environment: it answers HTTP, and ends or refuses to end.
console.log(`args ${process.argv.slice(2).join(" ")}`);
console.error("on standard error");
process.on("SIGTERM", () => {
  if (process.env.STUBBORN) return;
  console.log("stopping");
  process.exit(7);
});
const server = createServer((request, response) => {
  response.statusCode = request.url === "/ready" ? 200 : 503;
  response.end();
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(`port ${typeof address === "object" ? address?.port : ""}`);
});
