// The guards that callers rely on, each with a way to break it. `pnpm mutate` requires a test to fail for each.

import { inFile } from "../../scripts/mutation.mjs";

/** @typedef {import("../../scripts/mutation.mjs").Mutation} Mutation */

const link = inFile("link.ts", "unit");
const calls = inFile("calls.ts", "unit");
const replies = inFile("replies.ts", "unit");
const waits = inFile("replica-waits.ts", "unit");
const keySpace = inFile("key-space.ts", "unit");
const slot = inFile("slot.ts", "unit");
const address = inFile("address.ts", "unit");
const reachability = inFile("reachability.ts", "unit");
const request = inFile("request.ts", "server");
const options = inFile("role-options.ts", "server");
const subscriberRole = inFile("role-connection.ts", "unit");
const role = inFile("role-connection.ts", "server");
const subscriptions = inFile("subscriptions.ts", "server");
const clients = inFile("clients.ts", "server");
const auth = inFile("link.ts", "server");
const sent = inFile("calls.ts", "server");
const socketTimer = inFile("socket-timer.ts", "server");
const log = inFile("event-log.ts", "server");
const refusals = inFile("role-options.ts", "unit");
const own = inFile("clients.ts", "server");
const lost = inFile("link.ts", "server");
const refused = inFile("subscriptions.ts", "server");
const waiting = inFile("role-connection.ts", "unit");
const moved = inFile("calls.ts", "unit");
const silence = inFile("role-connection.ts", "sentinel");
const replaced = inFile("role-options.ts", "sentinel");
const slots = inFile("clients.ts", "cluster");
const redirects = inFile("redirects.ts", "unit");
const route = inFile("route.ts", "cluster");
const redirect = inFile("calls.ts", "cluster");
const subscriber = inFile("cluster-subscriber.ts", "cluster");

/** Files of tests by the names that the mutations use. */
export const suites = {
  unit: [
    "link",
    "calls",
    "replies",
    "replica-waits",
    "key-space",
    "slot",
    "address",
    "clients",
    "reachability",
    "redirects",
  ],
  server: ["connections", "half-open", "secure", "script", "event-log"],
  sentinel: ["test/sentinel.test"],
  cluster: ["test/cluster.test"],
};

/** @type {readonly Mutation[]} */
export const mutations = [
  link("a client that has ended is rebuilt", 'on("end", () => rebuild("the client ended"));', ""),
  link("nobody hears an old client", "if (mine === generation) act(...args);", "act(...args);"),
  link(
    "a client that came too late is dropped",
    "if (mine === generation) attach(opened, mine);\n      else disconnect(opened);",
    "attach(opened, mine);",
  ),
  socketTimer("a silence ends with its connection", 'client.on("close"', 'client.on("wait"'),
  link("one new client at a time", "    cancelOpening();\n    const dropped", "    const dropped"),
  link("later and later", "clock.after(isFirst ? 0 : waitMs", "clock.after(0"),
  link("at once the first time", "clock.after(isFirst ? 0 : waitMs", "clock.after(waitMs"),
  link("a client that was of use starts anew", "proven: () => backoff.reset(),", "proven: () => {},"),
  link("none could be made: tried again", '      rebuild("no client could be made");\n', ""),
  link("nothing after the end", 'if (state === "closed") return;\n    logger.warn', "logger.warn"),
  link(
    "a wait ends in time",
    "const cancel = clock.after(Math.max(0, timeoutMs), () => finish(() => reject(unavailable(what))));",
    "const cancel = () => {};",
  ),
  link("a wait ends with its signal", "forget = onAbort(signal,", "forget = onAbort(undefined,"),
  link("a wait ends with the link", 'if (next === "closed") finish(() => reject(closedError(what)));', ""),

  calls(
    "own deadline around each exchange",
    "clock.after(Math.max(0, deadlineAtMs - clock.now()), () =>",
    "clock.after(1e9, () =>",
  ),
  calls(
    "not sent when the time is up",
    'if (clock.now() >= deadlineAtMs) throw new Refusal("not-sent", new Error("the time is up"));',
    "",
  ),
  calls(
    "what passes is repeated",
    'const isHarmless = failure === "retry" || failure === "not-sent";',
    'const isHarmless = failure === "not-sent";',
  ),
  calls("what may have run is not", 'failure === "retry" || failure === "not-sent"', 'failure !== "refused"'),
  calls(
    "no repetition past the deadline",
    "!isHarmless || clock.now() + waitMs >= deadlineAtMs",
    "!isHarmless",
  ),
  sent(
    "a break settles what is under way",
    "for (const give of [...inFlight]) give(",
    "for (const give of []) give(",
  ),
  calls("full jitter", "await clock.sleep(waitMs);", ""),

  replies("passing: a fail-over", "READONLY|MOVED", "MOVED"),
  replies("passing: loading", "LOADING|", ""),
  replies("passing: a Cluster that is down", "CLUSTERDOWN|", ""),
  replies("passing: keys apart", "TRYAGAIN|", ""),
  replies("passing: no replicas", "|NOREPLICAS", ""),
  replies(
    "Redis 6.2 wraps what scripts meet",
    'errorMessage(error).replace(insideScript, "")',
    "errorMessage(error)",
  ),
  replies("an unknown script", 'if (message.startsWith("NOSCRIPT")) return "unknown-script";', ""),
  replies("written decides", 'if (!wasSent) return "not-sent";', ""),
  replies("a reply is a refusal", 'return isReply(error) ? "refused" : "unknown";', 'return "unknown";'),

  waits("one WAIT at a time", "if (!line.has(wait.replicas)) return run(wait);", "return run(wait);"),
  waits("the longest of their times", "group.timeoutMs = Math.max(group.timeoutMs, wait.timeoutMs);", ""),
  waits(
    "only on the socket of the write",
    "request.socket() === socket ? Number(count) : 0",
    "Number(count)",
  ),
  waits("a lost connection counts nobody", "  } catch {\n    return 0;", "  } catch {\n    return replicas;"),

  keySpace("partitions spread evenly", "Math.abs(slotOf(tag) - middle) <= reach", "true"),
  keySpace("a stable place of a record", "hash(id) % partitions", "(hash(id) + 1) % partitions"),
  keySpace("no braces in a prefix", "/[{}\\s]/", "/[\\s]/"),
  slot("the tag decides", "close > open + 1 ? key", "false ? key"),
  slot("an empty tag is none", "close > open + 1 ? key", "close > open ? key"),
  address("no password in an error", 'invalid("write the URL as', 'invalid(text + "write the URL as'),

  reachability(
    "M7: an answer, not a state",
    "      return true;\n    } catch {\n      return false;",
    "      return true;\n    } catch {\n      return true;",
  ),
  reachability("M7: the subscriber counts", 'connections.subscriber.state === "ready"', "true"),
  reachability("M7: for how long", "clock.elapsedAtLeast(mark) >= ms", "ms >= 0"),

  request("the moment of writing is noted", "    socket = to;\n", ""),
  options("a silent socket is given up", "    socketTimeout: deadlineMs,\n", ""),
  role(
    "NOSCRIPT: sent in full",
    'return attempt.exchange("eval", call',
    'throw error; return attempt.exchange("eval", call',
  ),
  role("a silent subscriber is found", 'role === "subscriber" ? clock.every', "false ? clock.every"),
  role(
    "subscriptions come back",
    'role === "subscriber" && subscriptions.restore(client)',
    "false && subscriptions.restore(client)",
  ),
  subscriberRole("a subscriber takes no commands", 'if (role !== "subscriber") return;', "if (role) return;"),
  subscriptions(
    "a channel as long as anybody listens",
    "channels.filter((channel) => !rest.has(channel))",
    "channels",
  ),
  subscriptions(
    "a listener that throws",
    "    try {\n      act();\n    } catch (error) {\n      onError(error);\n    }",
    "    act();",
  ),
  options("a user's time-out does not cut a call short", "commandTimeout: undefined,", ""),
  clients("TLS by its options", "...(tls === undefined ? {} : { tls: { ...tls } }),", ""),
  clients("the user", "...(username === undefined ? {} : { username }),\n    ...(password", "...(password"),
  auth(
    "a refused password ends the first wait",
    "if (refused !== undefined) refusals.emit",
    "if (false) refusals.emit",
  ),

  log(
    "E4: the predecessor's tag",
    "'previous', tag, 'at', at, 'event', event.json)\n    end\n    return",
    "'previous', '', 'at', at, 'event', event.json)\n    end\n    return",
  ),
  log(
    "a stream that is ahead makes a new epoch",
    "string.find(added.err, 'equal or smaller', 1, true)",
    "false",
  ),

  redirects("MOVED is followed", "void addresses.set(slot, address)", "{}"),
  redirects(
    "a redirection outlives a list that is old",
    "if (ownerOf(slot) === address) addresses",
    "addresses",
  ),
  route("who was named may be dead", 'return owner?.status === "ready" ? owner : there;', "return there;"),
  redirect("ASK is followed", "return send(createRequest(name, args), node);", "throw error;"),
  redirect("ASKING goes before", 'createRequest("asking", [])', 'createRequest("ping", [])'),
  subscriber("another node each time", "others.length > 0 ? others : nodes", "nodes"),

  // Fail-over: a primary that is none any more, or that hangs, is left.
  refusals("a replica is left", "(isReadOnlyRefusal(error.message) ? 1 : false)", "(error ? false : false)"),
  refusals(
    "never sent again by the client",
    "(isReadOnlyRefusal(error.message) ? 1 : false)",
    "(isReadOnlyRefusal(error.message) ? 2 : false)",
  ),
  refusals(
    "no automatic repetition",
    "autoResendUnfulfilledCommands: false,\n    autoResubscribe: false,\n    maxRetriesPerRequest: 0,",
    "autoResendUnfulfilledCommands: true,\n    autoResubscribe: false,\n    maxRetriesPerRequest: null,",
  ),
  replaced("a primary that hangs is left", "    socketTimeout: deadlineMs,\n", ""),
  replaced("the primary, whatever a user's client asked for", 'role: "master",', 'role: "slave",'),
  waiting(
    "a WAIT is shorter than the silence that ends a socket",
    "Math.min(replicaTimeoutMs, leftMs, deadlineMs * 0.8)",
    "Math.min(replicaTimeoutMs, leftMs)",
  ),
  waiting(
    "replicas that are away fail nothing",
    '"waiting for replicas", untilMs).catch(() => 0);',
    '"waiting for replicas", untilMs);',
  ),
  silence(
    "replicas are waited for",
    "if (replicas === 0 || socket === undefined) return",
    "if (replicas >= 0 || socket === undefined) return",
  ),
  lost("what is under way when the connection is lost", '      onBreak("the connection was lost");\n', ""),
  lost(
    "no storm of clients that are of no use",
    "lastError = undefined;",
    "lastError = undefined;\n      backoff.reset();",
  ),
  link(
    "a refusal inside of another error",
    "return inner === undefined ? undefined : refusalOf(inner);",
    "return undefined;",
  ),
  refused(
    "who may not listen is told",
    "if (client === currentClient()) onRefused(",
    "((..._: unknown[]) => {})(",
  ),
  refused(
    "ready once it is subscribed",
    'await bounded(client.subscribe(...channels), "subscribing to channels");',
    'void bounded(client.subscribe(...channels), "subscribing to channels").catch(() => {});',
  ),
  own(
    "ours beats a user's",
    "({ ...options, ...roleOptions(settings) })",
    "({ ...roleOptions(settings), ...options })",
  ),
  own("the password", "...(password === undefined ? {} : { password }),\n    ...(tls ===", "...(tls ==="),
  slots(
    "connected to before the Cluster is ready",
    'if (cluster.status === "ready" && node.status === "wait")',
    'if (node.status === "wait")',
  ),
  slots(
    "replicas are connected to",
    "(node: Redis) => connect(clearingSocketTimer(node))",
    "(node: Redis) => void clearingSocketTimer(node)",
  ),
  redirect("who has a slot is found out anew", 'if (failure !== "refused") route.refresh();', ""),
  moved("MOVED is remembered", "route.moved(slot, address);", ""),
  subscriber(
    "another node when its own is lost",
    "{ ...roleOptions(settings), retryStrategy: () => null }",
    "roleOptions(settings)",
  ),
];
