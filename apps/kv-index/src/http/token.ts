/** Injection token of the running index. */
export const KV_INDEX = Symbol('kv-index');
/** Injection token of the renderer of chats. */
export const CHAT_RENDERER = Symbol('chat-renderer');
/** Injection token of the index's metrics. */
export const INDEX_METRICS = Symbol('index-metrics');
