// A WebSocket server of `ws` with nothing to it: what a connection costs before anything is made of it.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  socket.on("message", () => {});
  socket.on("pong", () => {});
});
setInterval(() => {
  for (const socket of sockets.clients) socket.ping();
}, 15_000);
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
