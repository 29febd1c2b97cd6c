import { type Cluster, Command, type Redis } from "ioredis";

/** A client of ioredis. */
export type Client = Redis | Cluster;

/** One command. */
export interface Request {
  // No getters: they make an object literal expensive, and there is one for each command.
  /** The slot of its first key; undefined where it has none. */
  slot(): number | undefined;
  /** The socket that it was last written to; undefined as long as it was written to none, and so can't have run. */
  socket(): object | undefined;
  /** Sends it to a server, and resolves with the reply. */
  sendTo(node: Redis): Promise<unknown>;
}

/**
 * Makes a command. What ioredis says when a connection breaks does not tell whether the command was written before, and that
 * decides whether it is harmless to send it again: so the moment of writing is noted here.
 */
export function createRequest(name: string, args: readonly (string | number)[]): Request {
  const command = new Command(name.toLowerCase(), [...args], { replyEncoding: "utf8" });
  const encode = command.toWritable.bind(command);
  let socket: object | undefined;
  command.toWritable = (to) => {
    socket = to;
    return encode(to);
  };
  return {
    slot: () => (command.getKeys().length === 0 ? undefined : command.getSlot()),
    socket: () => socket,
    sendTo: (node) => Promise.resolve(node.sendCommand(command)),
  };
}
