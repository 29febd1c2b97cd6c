export {
  type BusEvent,
  type Cursor,
  createEventBus,
  type Delivered,
  type EventBus,
  type EventBusOptions,
  type EventBusStats,
  type From,
  type Gap,
  type NodeMessage,
  type SubscribeOptions,
  type Subscription,
} from "./event-bus.ts";
export type { LogBatch, LogEntry, LogPage, LogPosition, TaggedEvent, TopicLog } from "./store.ts";
