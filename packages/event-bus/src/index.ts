export type {
  BusEvent,
  Cursor,
  Delivered,
  EventBus,
  EventBusOptions,
  EventBusStats,
  From,
  Gap,
  NodeMessage,
  SubscribeOptions,
  Subscription,
} from "./event-bus.ts";
